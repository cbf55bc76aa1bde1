"""A random sample of labels, for people to judge.

Three samples, and what each is for:

* labels, stratified by score: how many are right (precision);
* regions to ignore, stratified by score: how many are faces that a lower `--label` would learn;
* photos without a label: how many faces they have.

With each label the person says how many faces of its photo have no box at all. A photo with k
labels is drawn k times as often as one with a single label, so its missed faces count 1 / k each
time. Thus one walk through the sample gives precision and recall.

The same labels, number and seed give the same sample.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from distill.audit.files import Sample
from distill.audit.sampling import draw_by_score
from ssd.data import manifest, marked, records

NUMBER = 300  # of labels
OTHERS = 4  # to so many labels a region to ignore is drawn, and a photo without a label
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)


def draw(out: str | os.PathLike, *, number: int = NUMBER, seed: int = 0) -> Sample:
    """Draw labels, regions to ignore and photos without a label from a folder of labels.

    Photos that somebody has marked to be ignored are not drawn from.

    Args:
        out: Folder of labels; nothing is written.
        number: Labels to draw; a quarter as many regions to ignore, and photos without a label,
            come with them. All are drawn where there are no more.
        seed: Another one gives another sample.

    Returns:
        What JSON can hold: `id`, which answers name; `number` and `seed`; `label`, the least score
        of a label; `min_face`, the side in pixels from which faces are looked for; `classes`;
        `population`, how many `labels`, `regions` and `empty` photos it was drawn from; `table`,
        [score, labels, regions to ignore] that score at least this; `items`, in a random order,
        each with `kind` ("label", "region" or "empty"), `photo`, `shard` and `record`, where
        it stands, and but for the empty ones `box`,
        `score`, `class` and `labels`, how many the photo has.

    Raises:
        ValueError: If there is no label, `number` is less than 1, or two photos have one name.
        FileNotFoundError: If there is no such folder of labels.

    Example:
        >>> import tempfile
        >>> photo = records.LabeledPhoto(b"", "a.jpg", 9, 9, np.float32([[0, 0, 0.5, 0.5]]),
        ...                               np.int32([1]), np.float32([0.99]))
        >>> with tempfile.TemporaryDirectory() as out:
        ...     manifest.write(out, {"classes": ["face"], "label": 0.95})
        ...     records.write_shard(records.shard_path(out, 0), [photo])
        ...     sample = draw(out, number=50)
        >>> sample["population"], sample["items"][0]["score"]
        ({'labels': 1, 'regions': 0, 'empty': 0}, 0.99)
    """
    if number < 1:
        raise ValueError(f"number: wanted 1 or more labels to draw, got {number}")
    about = manifest.read(out)
    population = _population(out)
    if not population["label"]:
        raise ValueError(f"{out}: wanted labels to draw from, there is none")
    random = np.random.default_rng(seed)
    items = []
    for kind, found in population.items():
        wanted = number if kind == "label" else -(-number // OTHERS)
        scores = np.array([each.get("score", 0) for each in found], np.float32)
        items += [found[place] for place in draw_by_score(scores, wanted, random).tolist()]
    random.shuffle(items)
    sample = {
        "number": number,
        "seed": seed,
        "label": about.get("label"),
        "min_face": about.get("min_face"),
        "classes": about["classes"],
        "population": {
            "labels": len(population["label"]),
            "regions": len(population["region"]),
            "empty": len(population["empty"]),
        },
        "table": _table(population, about.get("label")),
        "items": items,
    }
    digest = hashlib.sha256(json.dumps(sample, sort_keys=True).encode())
    return {"id": digest.hexdigest()[:16], **sample}


def _population(out: str | os.PathLike) -> dict[str, list[dict[str, Any]]]:
    """All that can be drawn, by its kind."""
    found: dict[str, list[dict[str, Any]]] = {"label": [], "region": [], "empty": []}
    names = set()
    for shard, place, photo in _photos(out):
        if photo.filename in names:
            raise ValueError(f"{out}: {photo.filename!r} is the name of more than one photo")
        names.add(photo.filename)
        where = {"photo": photo.filename, "shard": shard, "record": place}
        labels = int(np.sum(photo.class_ids != records.IGNORE))
        if not labels:
            found["empty"].append({"kind": "empty", **where})
        for box, class_id, score in zip(*(a.tolist() for a in photo[4:7]), strict=True):
            kind = "region" if class_id == records.IGNORE else "label"
            item = {"kind": kind, **where, "box": box, "score": round(score, 7)}
            found[kind].append({**item, "class": class_id, "labels": labels})
    return found


def _photos(out: str | os.PathLike) -> Iterator[tuple[str, int, records.LabeledPhoto]]:
    """The photos of a folder of labels that nobody has marked to be ignored, and their places."""
    from tqdm import tqdm

    entries = marked.read(out)
    for shard in tqdm(records.shards(out), "audit", unit=" shards", leave=False, disable=None):
        for place, photo in enumerate(records.read_shard(shard)):
            if not entries.get(photo.filename, {}).get("ignored"):
                yield shard.name, place, photo


def _table(
    population: dict[str, list[dict[str, Any]]], label: float | None
) -> list[list[float | int]]:
    """[score, labels, regions to ignore] that a `--label` of this score would learn.

    What scores enough to be a label and is none was put to a vote and lost it; no other threshold
    makes a label of it.
    """
    labels = np.array([each["score"] for each in population["label"]], np.float32)
    least = float(labels.min()) if label is None else label
    regions = np.array([each["score"] for each in population["region"]], np.float32)
    regions = regions[regions < np.float32(least)]
    lowest, highest = min([*labels, *regions]), labels.max()
    return [
        [score, int(np.sum(labels >= np.float32(score))), int(np.sum(regions >= np.float32(score)))]
        for score in sorted({*THRESHOLDS, round(least, 7)})
        if lowest <= np.float32(score) <= highest
    ]
