"""What decides the labels of a folder; nothing heavy is imported to say so."""

import dataclasses
import functools
import hashlib
import importlib
import inspect
import os
import pathlib
from collections.abc import Callable
from typing import Any

LOOKS = {"": (), "mirror": ("mirror",), "scale": ("scale",), "both": ("mirror", "scale")}
TEACHERS = {  # that come with the package, by their short names
    "mtcnn": "distill.teachers.mtcnn:mtcnn",
    "centerface": "distill.teachers.centerface:centerface",
}
FILES = {  # that hold a teacher: what opens them, by their suffix
    ".tflite": "distill.teachers.student:open_student",
    ".onnx": "distill.teachers.yunet:open_yunet",
}
# Least scores of a face to learn and of a region to ignore: what a score means is the teacher's.
LABEL, IGNORE = 0.95, 0.6
SCORES = {TEACHERS["centerface"]: (0.5, 0.3), ".tflite": (0.5, 0.3), ".onnx": (0.6, 0.3)}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What decides the labels of a folder: runs that share an OUT must share these.

    Args:
        teacher: "mtcnn", "centerface", a model file (`.tflite` that `ssd.export` wrote, `.onnx`
            with YuNet's outputs), or `module:function` that takes a list of photos, uint8
            [height, width, 3], and the keywords `min_face` (pixels) and `floor` (least score), and
            gives for each photo boxes `[ymin, xmin, ymax, xmax]` in pixels and scores.
        teacher_side: Long side at which the teacher sees a photo, in pixels, if it lets one choose
            (keyword `side`); None leaves it to the teacher.
        label: Least score of a face to learn; 0: 0.95, for CenterFace and `.tflite` files 0.5,
            for `.onnx` files 0.6.
        ignore: Least score of a region to ignore; less sure ones are background. 0: 0.6, for
            CenterFace and model files 0.3.
        min_face: Side of the smallest face to look for, in pixels of the stored photo.
        max_side: Longest side of a stored photo in pixels; larger ones are scaled down.
        max_pixels: Larger photos are refused.
        shard_photos: Photos to a shard.
        second_opinion: How the teacher looks again, "mirror", "scale" or "both": faces that all
            looks see are labels, the others regions to ignore. "" for one look.

    Raises:
        ValueError: If a value is outside its range; the message says what was wanted.
        FileNotFoundError: If the teacher is a file that is not there.

    Example:
        >>> options = Options(teacher="time:sleep", max_side=1024)
        >>> options.shard_photos, options.label
        (256, 0.95)
    """

    teacher: str = "mtcnn"
    teacher_side: int | None = None
    label: float = 0.0
    ignore: float = 0.0
    min_face: int = 20
    max_side: int = 640
    max_pixels: int = 100_000_000
    shard_photos: int = 256
    second_opinion: str = ""

    def __post_init__(self) -> None:
        def check(field: str, holds: bool, wanted: str) -> None:
            if not holds:
                raise ValueError(f"{field}: wanted {wanted}, got {getattr(self, field)!r}")

        # The full name stands in `dataset.json`, so that a short one means the same run.
        full = TEACHERS.get(self.teacher, self.teacher)
        object.__setattr__(self, "teacher", str(pathlib.Path(full).resolve()) if _is_file(full)
                           else full)  # fmt: skip
        label, ignore = SCORES.get(full, SCORES.get(pathlib.Path(full).suffix, (LABEL, IGNORE)))
        object.__setattr__(self, "label", self.label or label)
        object.__setattr__(self, "ignore", self.ignore or min(ignore, self.label))
        check("label", 0 < self.label <= 1, "a score in (0, 1]")
        check("ignore", 0 < self.ignore <= self.label, f"a score in (0, {self.label}]")
        check("min_face", self.min_face >= 12, "12 pixels or more")
        check("max_side", self.max_side >= 12, "12 pixels or more")
        check("max_pixels", self.max_pixels >= 1, "a positive number of pixels")
        check("shard_photos", self.shard_photos >= 1, "a positive number of photos")
        check("second_opinion", self.second_opinion in LOOKS, "mirror, scale, both or nothing")
        self.load_teacher()

    @property
    def name(self) -> str:
        """What to call the teacher: its short name, that of its file, or `module.function`."""
        if _is_file(self.teacher):
            return pathlib.Path(self.teacher).stem
        short = {full: name for name, full in TEACHERS.items()}
        return short.get(self.teacher, self.teacher.replace(":", "."))

    @property
    def remark(self) -> str:
        """A line about what the teacher finds and labels do not keep; empty if they keep all."""
        return getattr(self.load_teacher(), "remark", "")

    def describe(self) -> dict[str, Any]:
        """What decides the labels, as `dataset.json` has it.

        Returns:
            The fields and, where the teacher is a file, a digest of it (`teacher_digest`): a model
            that was trained anew is another teacher.
        """
        about = dataclasses.asdict(self)
        if _is_file(self.teacher):
            data = pathlib.Path(self.teacher).read_bytes()
            about["teacher_digest"] = hashlib.sha256(data).hexdigest()[:16]
        return about

    def load_teacher(self) -> Callable:
        """The teacher as a function.

        Returns:
            What `teacher` names, imported, seeing photos at `teacher_side` if that is set.

        Raises:
            ValueError: If it names no function, or one that takes no `side` where one is set.
            FileNotFoundError: If it is a file that is not there.
            ImportError: If a package is missing that the teacher works with.
        """
        function = self._open_file() if _is_file(self.teacher) else self._import_function()
        if self.teacher_side is None:
            return function
        if "side" not in inspect.signature(function).parameters:
            raise ValueError(f"teacher_side: wanted a teacher that takes one, got {self.teacher}")
        return functools.partial(function, side=self.teacher_side)

    def _open_file(self) -> Callable:
        if not os.path.isfile(self.teacher):
            raise FileNotFoundError(
                f"{self.teacher}: wanted a model file to teach, there is no such file"
            )
        module, _, name = FILES[pathlib.Path(self.teacher).suffix].partition(":")
        return getattr(importlib.import_module(module), name)(self.teacher)

    def _import_function(self) -> Callable:
        module, _, name = self.teacher.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing and not f"{module}.".startswith(f"{missing}."):
                raise  # the teacher is there, but not what it works with
            raise ValueError(
                f"teacher: wanted {', '.join(TEACHERS)}, a file ({', '.join(FILES)}) or "
                f"package.module:function, "
                f"got {self.teacher!r} ({error})"
            ) from None
        if not callable(function):
            raise ValueError(f"teacher: wanted a function, {self.teacher} is none")
        return function


def _is_file(teacher: str) -> bool:
    return pathlib.Path(teacher).suffix in FILES
