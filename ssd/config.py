"""Everything that must agree between labels, model, loss and detector, said once."""

import dataclasses
import difflib
import json
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

# Those that come with this project, each a file in `ssd/nets/`; `ssd.backbone` registers others.
BACKBONES = ("alexnet", "darknet", "mobilenet", "resnet")
STRIDES = (8, 16, 32)  # of the maps that a backbone makes
MOST_LEVELS = 6
# Of a label, in place of a class: a region that is neither an object nor background, and an object
# of which nobody has said what class it has.
IGNORE, UNKNOWN = -1, -2
LARGEST = 4096  # side of an input: with larger ones the anchors alone fill the memory


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """What a model is. Checked when made, and saved as JSON inside every model.

    Photos are scaled to fit `image_size` with their aspect kept, into the top left corner;
    what is left over is black. All sizes are pixels of that input.

    Args:
        image_size: (height, width) of the input in pixels, multiples of 32 and of the stride of
            the last level, up to 4096.
        classes: Names of the classes. Class 0 is background, so the first name is class 1.
        kinds: Of classes that are another one with something to it, that other: a smile is a kind
            of face, `{"smile": "face"}`. Then a face has one box and one score, smile or not, and
            each class has its part of it (`ssd.Detections.share`).
        backbone: "alexnet", "darknet", "mobilenet", "resnet", or a name that `ssd.backbone`
            registers. Whoever makes the model sees to it that it is registered: a detector of a
            `.tflite` file does without.
        width_multiplier: Channels of the backbone as a share of the original network's.
        fine_blocks: Residual blocks on the finest map with anchors, on which most faces are found,
            and the hardest: two 3×3 convolutions each.
        anchor_sizes: For each level, of stride 8, 16, 32 and so on, anchor sizes in pixels: the
            square root of the area. A level of none has no head, but hands on what it sees; levels
            after the third (at most 6 in all) are made by convolutions of stride 2. For large faces
            alone, `((), (45.3, 64.0, 90.5, 128.0, 181.0), ())` has one head, of stride 16.
        anchor_aspect: Height over width of every anchor. Upright faces are about 1.25.
        max_boxes: Faces of a photo to learn from, the largest; more are regions to ignore. A label
            has as many rows again for regions.
        min_face: Size in pixels (square root of the area) under which a face is a region to
            ignore while training: there is too little left of it to learn from.
        positive_iou: Least overlap (IoU) at which an anchor is assigned to its best box.
        negative_iou: Overlap under which an anchor is background.
        score_threshold: Least score of what a detector returns, unless it is asked for another.

    Raises:
        ValueError: If a value is outside its range; the message says what was wanted.

    Example:
        >>> config = Config(image_size=(128, 160))
        >>> config.feature_shapes
        ((16, 20), (8, 10), (4, 5))
        >>> Config.from_json(config.to_json()) == config
        True
    """

    image_size: tuple[int, int] = (256, 256)
    classes: tuple[str, ...] = ("face",)
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    backbone: str = "alexnet"
    width_multiplier: float = 0.1875
    fine_blocks: int = 1
    # Half an octave apart: a face between two sizes still overlaps one of them by 0.7.
    anchor_sizes: tuple[tuple[float, ...], ...] = (
        (11.3, 16.0, 22.6, 32.0),
        (45.3, 64.0),
        (90.5, 128.0, 181.0, 256.0),
    )
    anchor_aspect: float = 1.25
    max_boxes: int = 64
    min_face: float = 8.0
    positive_iou: float = 0.5
    negative_iou: float = 0.4
    score_threshold: float = 0.5

    def __post_init__(self):
        for field in ("image_size", "classes", "anchor_sizes"):
            object.__setattr__(self, field, _frozen(getattr(self, field)))
        for field, (holds, wanted) in _RULES.items():
            if not holds(getattr(self, field)):
                raise ValueError(f"Config.{field}: wanted {wanted}, got {getattr(self, field)!r}")
        object.__setattr__(self, "kinds", dict(self.kinds))
        _check_kinds(self.kinds, self.classes)
        if self.negative_iou > self.positive_iou:
            raise ValueError(
                f"Config.negative_iou: wanted a number from 0 to positive_iou "
                f"({self.positive_iou}), got {self.negative_iou!r}"
            )
        coarsest = STRIDES[0] << (len(self.anchor_sizes) - 1)
        if any(side % coarsest for side in self.image_size):
            raise ValueError(
                f"Config.image_size: wanted multiples of {coarsest}, the stride of the last of "
                f"{len(self.anchor_sizes)} levels, got {self.image_size!r}"
            )

    @property
    def roots(self) -> tuple[int, ...]:
        """Of each class the id of what it is a kind of, or its own; those of one root share boxes.

        Example:
            >>> Config(classes=("face", "smile", "dog"), kinds={"smile": "face"}).roots
            (1, 1, 3)
        """
        return tuple(1 + self.classes.index(self.kinds.get(name, name)) for name in self.classes)

    @property
    def levels(self) -> tuple[int, ...]:
        """The levels that have anchors, counted from 0, which is the one of stride 8."""
        return tuple(level for level, sizes in enumerate(self.anchor_sizes) if sizes)

    @property
    def feature_shapes(self) -> tuple[tuple[int, int], ...]:
        """(rows, columns) of the feature map of each level that has anchors."""
        return tuple(self.cells(STRIDES[0] << level) for level in self.levels)

    @property
    def anchor_shapes(self) -> tuple[tuple[tuple[float, float], ...], ...]:
        """(height, width) of the anchors of each level that has some, on the unit square.

        With `feature_shapes`, what `anchors.grid` takes.
        """
        height, width = self.image_size
        tall = math.sqrt(self.anchor_aspect)
        return tuple(
            tuple((size * tall / height, size / tall / width) for size in level)
            for level in self.anchor_sizes
            if level
        )

    def cells(self, stride: int) -> tuple[int, int]:
        """How many cells a feature map has.

        Args:
            stride: Pixels from one to the next.

        Returns:
            (rows, columns).

        Example:
            >>> Config(image_size=(128, 160)).cells(32)
            (4, 5)
        """
        height, width = self.image_size
        return height // stride, width // stride

    def fit(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in pixels that a photo of this size takes up in the input.

        The photo keeps its aspect and fills one side of the input. In whole numbers, so that
        training (TensorFlow) and serving (NumPy) cannot round differently.

        Args:
            height: Rows of the photo.
            width: Columns of the photo.

        Returns:
            Rows and columns, at least 1 and at most those of the input.

        Example:
            >>> Config(image_size=(256, 256)).fit(480, 640)
            (192, 256)
        """
        rows, columns = self.image_size
        return (
            max(1, min(rows, (2 * height * columns + width) // (2 * width))),
            max(1, min(columns, (2 * width * rows + height) // (2 * height))),
        )

    def to_json(self) -> str:
        """The Config as JSON text.

        Returns:
            A JSON object of its fields.
        """
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """The Config that `to_json` wrote.

        Args:
            text: A JSON object of fields; those left out take their defaults.

        Returns:
            A `Config`.

        Raises:
            ValueError: If the text is no JSON object or holds a field that no Config has.
        """
        try:
            values = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"Config: wanted JSON, got {text[:40]!r} ({error})") from None
        if not isinstance(values, dict):
            raise ValueError(f"Config: wanted a JSON object, got {text[:40]!r}")
        return cls.from_dict(values)

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Config":
        """The Config in a file.

        Args:
            path: A JSON file of fields, as `to_json` writes them.

        Returns:
            A `Config`.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If it holds something else; the message begins with the file.
        """
        try:
            return cls.from_json(pathlib.Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise FileNotFoundError(f"{path}: wanted a JSON file, there is none") from None
        except ValueError as error:  # bytes that are no text among them
            raise ValueError(f"{path}: {error}") from None

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Config":
        """A Config from a dictionary of its fields; fields left out take their defaults.

        Args:
            values: Fields by name; lists as JSON has them may stand for tuples.

        Returns:
            A `Config`.

        Raises:
            ValueError: If a field is unknown; the message names the nearest known one.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for field in values:
            if field not in known:
                near = difflib.get_close_matches(field, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise ValueError(f"Config: unknown field {field!r}; {hint}")
        return cls(**values)


def _frozen(value):
    """Lists, as JSON has them, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _check_kinds(kinds, class_names):
    """Kinds are classes of classes, and what has kinds is none itself."""
    for kind, of in kinds.items():
        if kind not in class_names or of not in class_names or kind == of or of in kinds:
            raise ValueError(
                f"Config.kinds: wanted classes ({', '.join(class_names)}) and what each is a kind "
                f"of, got {kind!r} as a kind of {of!r}"
            )


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int that is too large for any float
        return False


def _is_image_size(value):
    return (
        isinstance(value, tuple)
        and len(value) == 2
        and all(_is_int(side) and 0 < side <= LARGEST and side % STRIDES[-1] == 0 for side in value)
    )


def _are_names(value):
    return (
        isinstance(value, tuple)
        and len(value) > 0
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value)
    )


def _maps_names(value):
    return isinstance(value, Mapping) and all(isinstance(name, str) for name in value.values())


def _are_anchor_sizes(value):
    return (
        isinstance(value, tuple)
        and 0 < len(value) <= MOST_LEVELS
        and all(isinstance(level, tuple) for level in value)
        and any(value)
        and all(_is_number(size) and size > 0 for level in value for size in level)
    )


# Of each field: what holds of it, and what is wanted where it does not.
_RULES = {
    "image_size": (
        _is_image_size,
        f"(height, width), both multiples of {STRIDES[-1]} up to {LARGEST}",
    ),
    "classes": (_are_names, 'different names such as ("face",)'),
    "kinds": (_maps_names, 'classes by name, such as {"smile": "face"}'),
    "backbone": (
        lambda name: isinstance(name, str) and name.isidentifier() and len(name) <= 80,
        f"one of {', '.join(BACKBONES)}, or the name of a registered one",
    ),
    "width_multiplier": (lambda x: _is_number(x) and 0 < x <= 4, "a number in (0, 4]"),
    "anchor_sizes": (
        _are_anchor_sizes,
        f"1 to {MOST_LEVELS} lists of sizes in pixels, not all of them empty",
    ),
    "fine_blocks": (lambda x: _is_int(x) and 0 < x <= 16, "an integer from 1 to 16"),
    "anchor_aspect": (lambda x: _is_number(x) and 0.1 <= x <= 10, "a number from 0.1 to 10"),
    "max_boxes": (lambda x: _is_int(x) and 0 < x <= 10_000, "an integer from 1 to 10000"),
    "min_face": (lambda x: _is_number(x) and x >= 0, "0 or more pixels"),
    "positive_iou": (lambda x: _is_number(x) and 0 < x <= 1, "a number in (0, 1]"),
    "negative_iou": (lambda x: _is_number(x) and x >= 0, "a number from 0 to positive_iou"),
    "score_threshold": (lambda x: _is_number(x) and 0 <= x <= 1, "a number from 0 to 1"),
}
