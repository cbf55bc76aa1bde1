"""The files of an audit: the sample that was drawn, and what people answered.

`OUT/audit/` holds the samples. The audit's page saves answers, in the manner of marks:

    {"audit": "0123456789abcdef", "answers": [
      {"photo": "trip/01.jpg", "box": [0.1, 0.2, 0.3, 0.4], "right": true, "missed": 0},
      {"photo": "trip/02.jpg", "missed": 1}
    ]}

`right` says whether the box is on a face (and of the class that it names), `missed` how many faces
of the photo have no box; with a region to ignore it is not asked. An answer without a box is about
a photo that has no label.
"""

import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ssd import atomic

Sample = dict[str, Any]  # as `distill.audit.auditing.draw` returns it


class Answers(NamedTuple):
    """What one person answered.

    Args:
        right: {place in the sample's `items`: whether that box is right}.
        missed: {photo: how many of its faces have no box}.

    Example:
        >>> Answers({0: True, 2: False}, {"a.jpg": 1}).missed["a.jpg"]
        1
    """

    right: dict[int, bool]
    missed: dict[str, int]


def write_sample(out: str | os.PathLike, sample: Sample) -> None:
    """Write a sample to `OUT/audit/`, under its `id`; others stay, with their answers.

    Args:
        out: Folder of labels.
        sample: As `distill.audit.auditing.draw` returns it.

    Raises:
        OSError: If the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as out:
        ...     write_sample(out, {"id": "0123456789abcdef"})
        ...     os.listdir(f"{out}/audit")
        ['0123456789abcdef.json']
    """
    path = _sample_path(out, sample["id"])
    path.parent.mkdir(exist_ok=True)
    atomic.write_text(path, json.dumps(sample) + "\n")


def read_answers(
    out: str | os.PathLike, paths: Sequence[str | os.PathLike]
) -> tuple[Sample, list[Answers]]:
    """Read what people answered, and the sample that it is about.

    Args:
        out: Folder of labels that the sample was drawn from.
        paths: For each person the file that the audit's page saved.

    Returns:
        The sample, and the answers of each; of two about the same the later counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no file of answers, one about labels of another folder, or the files
            are about different samples.

    Example:
        >>> import tempfile
        >>> sample = {"id": "0123456789abcdef", "items": [{"kind": "empty", "photo": "a.jpg"}]}
        >>> with tempfile.TemporaryDirectory() as out:
        ...     write_sample(out, sample)
        ...     path = pathlib.Path(out, "answers.json")
        ...     answers = [{"photo": "a.jpg", "missed": 2}]
        ...     _ = path.write_text(json.dumps({"audit": sample["id"], "answers": answers}))
        ...     read_answers(out, [path])[1]
        [Answers(right={}, missed={'a.jpg': 2})]
    """
    contents = [(path, _read_json(path)) for path in paths]
    first, identity = contents[0][0], contents[0][1]["audit"]
    for path, content in contents:
        if content["audit"] != identity:
            raise ValueError(f"{path}: wanted answers about the sample of {first}, got another")
    try:
        sample = json.loads(_sample_path(out, identity).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{first}: wanted answers about a sample of {out}, {identity} was not drawn from it"
        ) from None
    return sample, [_to_answers(path, content, sample) for path, content in contents]


def _sample_path(out, identity):
    return pathlib.Path(out) / "audit" / f"{identity}.json"


def _read_json(path):
    try:
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise type(error)(f"{path}: wanted a file of answers ({error.strerror})") from None
    except (ValueError, RecursionError):
        content = None
    if (
        not isinstance(content, dict)
        or not isinstance(content.get("answers"), list)
        or not re.fullmatch("[0-9a-f]{16}", str(content.get("audit")))
    ):
        raise ValueError(f"{path}: wanted a file of answers, as the audit's page saves it")
    return content


def _to_answers(path, content, sample):
    places = {(item["photo"], *item.get("box", ())): i for i, item in enumerate(sample["items"])}
    answers = Answers({}, {})
    for answer in content["answers"]:
        if not _is_answer(answer):
            raise ValueError(
                f"{path}: wanted a photo, and missed (a number) or a box and right (true or false) "
                f"or both, got {json.dumps(answer)}"
            )
        place = places.get((answer["photo"], *answer.get("box", ())))
        if place is None:
            raise ValueError(f"{path}: answers what was not drawn: {json.dumps(answer)}")
        if "box" in answer:
            answers.right[place] = answer["right"]
        if "missed" in answer:
            answers.missed[answer["photo"]] = answer["missed"]
    return answers


def _is_answer(answer):
    if not isinstance(answer, dict) or not isinstance(answer.get("photo"), str):
        return False
    missed, right, box = answer.get("missed", 0), answer.get("right", True), answer.get("box", [])
    return (
        set(answer) - {"photo"} in ({"missed"}, {"box", "right"}, {"missed", "box", "right"})
        and (type(missed) is int and missed >= 0)
        and isinstance(right, bool)
        and (isinstance(box, list) and all(type(side) in (int, float) for side in box))
    )
