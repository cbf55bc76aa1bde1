"""Boxes that people rated: the CSV file that `distill vote` writes, or that of one person."""

import os
import pathlib

from ssd.photos import ratings
from ssd.photos.annotations import MARKED, AnnotatedPhoto, Annotations, Complaint


def read_rated(path: str | os.PathLike) -> Annotations:
    """What one rater, or the vote of several, says of photos.

    Boxes are on the unit square of the upright photo where all sides of all boxes are from 0 to 1,
    else in its pixels.

    Args:
        path: A CSV file with the columns `photo`, `box` and `class` (`ssd.photos.ratings`).

    Returns:
        `Annotations`, photos in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no such CSV, is by several raters, or has the class of a whole photo.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder, "ann.csv")
        ...     _ = path.write_text("photo,box,class\\na.jpg,0.1 0.2 0.3 0.4,face\\nb.jpg,,\\n")
        ...     [photo.names for photo in read_rated(path).photos]
        [['face'], []]
    """
    said = ratings.read_ratings([path])
    raters = {rating.rater for rating in said}
    if len(raters) > 1:
        raise ValueError(
            f"{path}: wanted boxes by one rater, got {len(raters)}; "
            "distill vote puts several people's ratings to the vote"
        )
    unit = all(0 <= side <= 1 for rating in said for side in rating.box or ())
    photos: dict[str, AnnotatedPhoto] = {}
    complaints: list[Complaint] = []
    for rating in said:
        photo = photos.setdefault(rating.photo, AnnotatedPhoto(rating.photo, unit=unit))
        if rating.box is not None:
            ignored = rating.class_name == ratings.IGNORE
            photo.add(
                rating.box,
                None if ignored else rating.class_name,
                complaints.append,
                ignored=ignored,
                note=MARKED if ignored else "",
            )
        elif rating.class_name:
            raise ValueError(
                f"{path}: wanted boxes, got the class of a whole photo, {rating.photo!r}; "
                "ssd import crops takes these"
            )
    names = sorted({rating.class_name for rating in said} - {"", ratings.IGNORE})
    return Annotations(pathlib.Path(path), names, [*photos.values()], complaints)
