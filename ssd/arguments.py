"""Command lines that refuse at once, in one line, and say what was meant.

Nothing heavy is imported here: a command does that when its arguments are right.
"""

import argparse
import dataclasses
import difflib
import io
import math
import os
import pathlib
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from ssd import shipped
from ssd.lines import printable
from ssd.outputs import OutputFile, find_clash
from ssd.quiet import missing_package

_NUMBER = re.compile(r"-\.?\d")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a program that has several.

    Args:
        name: What the user types.
        about: What it does, in a sentence.
        add_arguments: Adds its arguments to a parser.
        run: Does its work; takes what the parser made of the command line, `prog`, the command
            as it was called, and `refuse`, which ends it with one line for arguments that do not
            go together. Returns an exit status, or None for 0.

    Example:
        >>> command = Command("greet", "Say hello.", lambda parser: None, lambda options: 0)
        >>> command.run(argparse.Namespace(prog="greet"))
        0
    """

    name: str
    about: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int | None]

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Give a parser the command's arguments, and what `run` wants besides.

        Args:
            parser: A parser without arguments.
        """
        self.add_arguments(parser)
        parser.set_defaults(run=self.run, prog=parser.prog, refuse=parser.error)


def run_program(
    read: Callable[[Sequence[str] | None], argparse.Namespace],
    arguments: Sequence[str] | None,
    *,
    stopped: str = "stopped",
) -> int:
    """The main function of a program: the command that its arguments ask for, and how it ended.

    Args:
        read: What a parser with a command added to it (`Command.add_to`) makes of the arguments,
            or SystemExit.
        arguments: The words after the program's name; None for those of the process.
        stopped: What to say where it is stopped from the keyboard.

    Returns:
        The exit status: 0 when all is done, 1 when it is not, 2 when the arguments make no sense,
        130 when it was stopped from the keyboard.

    Example:
        >>> run_program(lambda words: argparse.Namespace(prog="greet", run=lambda _: None), [])
        0
    """
    escape_output()
    try:
        return _run(read(arguments), stopped)
    except SystemExit as stop:
        return int(stop.code or 0)


def _run(options: argparse.Namespace, stopped: str) -> int:
    try:
        status = options.run(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read the output has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        complain(options.prog, missing_package(error))
        return 1
    except (ValueError, OSError) as error:
        complain(options.prog, error)
        return 1
    except KeyboardInterrupt:
        complain(options.prog, stopped)
        return 130


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that says in one line what is wrong with the arguments.

    An option has to be written out: a shortened one would stop working, or mean another, on the
    day on which a second option of that beginning joins it.

    The exit status is 2 for arguments that make no sense, and 1 for a file or folder that is not
    there.

    Args:
        options: As for `argparse.ArgumentParser`.

    Example:
        >>> parser = Parser(prog="count")
        >>> _ = parser.add_argument("--epochs", type=whole_number())
        >>> parser.parse_args(["--epochs", "3"]).epochs
        3
        >>> import contextlib
        >>> with contextlib.redirect_stderr(sys.stdout), contextlib.suppress(SystemExit):
        ...     parser.parse_args(["--epoch", "3"])
        count: unknown option --epoch; did you mean --epochs?
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)
        self._commands: Any = None  # {name: parser} where there are commands

    def add_subparsers(self, **options: Any) -> Any:
        """As in `argparse`; a command that is missing or misspelt is refused as options are.

        Args:
            options: As for `argparse.ArgumentParser.add_subparsers`.

        Returns:
            What `argparse` returns: its `add_parser` adds a command.
        """
        made = super().add_subparsers(**options)
        self._commands = made.choices
        return made

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As in `argparse`, but nothing unknown is let pass.

        Args:
            args: The arguments; by default those of the process.
            namespace: Where to put what they say.

        Returns:
            The namespace, and an empty list.

        Raises:
            SystemExit: If an argument is wrong, after one line on standard error.
        """
        args = sys.argv[1:] if args is None else list(args)
        self._refuse_unknown(args)
        try:
            namespace, surplus = super().parse_known_args(args, namespace)
        except OSError as error:  # of `existing_file` and its like
            self.exit(1, f"{self.prog}: {printable(str(error))}\n")
        if surplus:
            self.error(f"one argument too many: {surplus[0]!r}")
        self._refuse_to_lose(namespace)
        return namespace, []

    def error(self, message: str) -> NoReturn:
        """End the process with one line.

        Args:
            message: What is wrong.

        Raises:
            SystemExit: Always, with status 2.
        """
        self.exit(2, f"{self.prog}: {printable(message.removeprefix('argument '))}\n")

    def _refuse_to_lose(self, namespace: argparse.Namespace) -> None:
        """No file is written that is read as well, nor one for two results."""
        outputs, inputs = {}, {}
        for action in self._actions:
            value = getattr(namespace, action.dest, None)
            name = action.option_strings[0] if action.option_strings else action.dest.upper()
            if isinstance(action.type, OutputFile):
                outputs |= {name: value} if value else {}
            elif not action.choices:
                words = value if isinstance(value, list) else [value]
                inputs[name] = [word for word in words if isinstance(word, str | os.PathLike)]
        clash = find_clash(outputs, inputs)
        if clash:
            self.error(clash)

    def _refuse_unknown(self, args: list[str]) -> None:
        """Name what was meant by the first option or command that there is not.

        `argparse` would first complain of what is missing, and name nothing.
        """
        options = [name for action in self._actions for name in action.option_strings]
        for word in args:
            if word == "--":
                return
            if not word.startswith("-") or word == "-" or _NUMBER.match(word):
                if self._commands is None:
                    continue
                if word not in self._commands:
                    self._refuse("command", word, self._commands)
                return
            name = word.partition("=")[0]
            if name not in options:
                self._refuse("option", name, options)
            if name in ("--help", "-h", "--version"):
                return
        if self._commands is not None:
            self.error(f"wanted a command: {', '.join(self._commands)}")

    def _refuse(self, what: str, word: str, known: Iterable[str]) -> NoReturn:
        near = _nearest(word, known)
        hint = f"did you mean {near}?" if near else f"{self.prog} --help lists what there is"
        self.error(f"unknown {what} {word}; {hint}")


def _nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like another; the dashes before an option say nothing."""
    bare = {name.lstrip("-"): name for name in known}
    near = difflib.get_close_matches(word.lstrip("-"), bare, n=1)
    return bare[near[0]] if near else None


def program(package: str) -> str:
    """What the user called: the script of that name, or the package by way of Python.

    Args:
        package: Name of the package, and of its script.

    Returns:
        The beginning of the command line that is running.

    Example:
        >>> program("ssd")
        'ssd'
    """
    called = pathlib.Path(sys.argv[0]).parts[-2:]
    return f"python -m {package}" if called == (package, "__main__.py") else package


def complain(program: str, what: object) -> None:
    """Say on standard error what is not as it should be, in one line whatever names are in it.

    Args:
        program: Which says it.
        what: Text, or an error.

    Example:
        >>> complain("ssd detect", "a.jpg: wanted a photo")
    """
    print(f"{program}: {printable(str(what))}", file=sys.stderr)


def escape_output() -> None:
    """Have standard output escape what its encoding has no character for.

    Names of files may hold anything, and a service's output is often ASCII; without this the
    first such name would end the command.

    Example:
        >>> escape_output()
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def existing_model(text: str) -> pathlib.Path | str:
    """A type of argument: the path of a model file that is there, or the name of one that ships.

    Args:
        text: The argument.

    Returns:
        The path; or the name, "face" or "smile".

    Raises:
        FileNotFoundError: If there is nothing of that name.
        IsADirectoryError: If there is a folder.

    Example:
        >>> existing_model("smile")
        'smile'
    """
    return text if text in shipped.NAMES else existing_file("a model file")(text)


def existing_keras(text: str) -> pathlib.Path:
    """A type of argument: a `.keras` file that is there, or the name of a model that ships.

    Args:
        text: The argument.

    Returns:
        The path; of a model that ships, that of the file it was exported from.

    Raises:
        FileNotFoundError: If there is nothing of that name.
        IsADirectoryError: If there is a folder.

    Example:
        >>> existing_keras("smile").name
        'smile.keras'
    """
    if text in shipped.NAMES:
        text = str(pathlib.Path(__file__).parent / "models" / f"{text}.keras")
    return existing_file("a .keras model file")(text)


def existing_file(what: str = "a file") -> Callable[[str], pathlib.Path]:
    """A type of argument: the path of a file that is there.

    Args:
        what: What the file is to be, as the error says it.

    Returns:
        A function that turns an argument into a path. It raises FileNotFoundError where there is
        nothing of that name, and IsADirectoryError where there is a folder.

    Example:
        >>> existing_file("a page of Python")(__file__).suffix
        '.py'
    """

    def parse(text: str) -> pathlib.Path:
        path = pathlib.Path(text)
        if path.is_dir():
            raise IsADirectoryError(f"{text}: wanted {what}, this is a folder")
        if not path.exists():
            raise FileNotFoundError(f"{text}: wanted {what}, there is no such file")
        return path

    return parse


def existing_folder(what: str = "a folder") -> Callable[[str], pathlib.Path]:
    """A type of argument: the path of a folder that is there.

    Args:
        what: What the folder is to be, as the error says it.

    Returns:
        A function that turns an argument into a path. It raises FileNotFoundError where there is
        nothing of that name, and NotADirectoryError where there is a file.

    Example:
        >>> existing_folder("a folder of photos")("/").as_posix()
        '/'
    """

    def parse(text: str) -> pathlib.Path:
        path = pathlib.Path(text)
        if not path.exists():
            raise FileNotFoundError(f"{text}: wanted {what}, there is no such folder")
        if not path.is_dir():
            raise NotADirectoryError(f"{text}: wanted {what}, this is a file")
        return path

    return parse


def whole_number(least: int = 1) -> Callable[[str], int]:
    """A type of argument: whole numbers from `least`.

    Args:
        least: The smallest that makes sense.

    Returns:
        A function that turns an argument into an int.

    Example:
        >>> whole_number()("12")
        12
    """

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least:
            raise argparse.ArgumentTypeError(
                f"wanted a whole number of {least} or more, got {text!r}"
            )
        return value

    return parse


def number(least: float = 0.0, most: float = math.inf) -> Callable[[str], float]:
    """A type of argument: numbers from `least` to `most`.

    Args:
        least: The smallest that makes sense.
        most: The largest.

    Returns:
        A function that turns an argument into a float.

    Example:
        >>> number(0, 1)("0.5")
        0.5
    """
    wanted = f"a number from {least:g} to {most:g}"
    if most == math.inf:
        wanted = f"a number of {least:g} or more"

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (least <= value <= most and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"wanted {wanted}, got {text!r}")
        return value

    return parse


def numbers(text: str) -> list[float]:
    """An argument that is several numbers over 0, separated by commas.

    Args:
        text: The argument.

    Returns:
        The numbers.

    Raises:
        argparse.ArgumentTypeError: If it is something else.

    Example:
        >>> numbers("3,0.5")
        [3.0, 0.5]
    """
    try:
        values = [float(each) for each in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(math.isfinite(value) and value > 0 for value in values):
        raise argparse.ArgumentTypeError(
            f"wanted numbers over 0, separated by commas, got {text!r}"
        )
    return values


def shares(text: str) -> tuple[float, float, float, float]:
    """An argument that is a box on the unit square.

    Args:
        text: The argument.

    Returns:
        `(ymin, xmin, ymax, xmax)`.

    Raises:
        argparse.ArgumentTypeError: If it is something else.

    Example:
        >>> shares("0,0.1,1,0.9")
        (0.0, 0.1, 1.0, 0.9)
    """
    try:
        ymin, xmin, ymax, xmax = (float(each) for each in text.split(","))
    except ValueError:
        ymin = xmin = ymax = xmax = math.nan
    if not (0 <= ymin < ymax <= 1 and 0 <= xmin < xmax <= 1):
        raise argparse.ArgumentTypeError(f"wanted ymin,xmin,ymax,xmax from 0 to 1, got {text!r}")
    return ymin, xmin, ymax, xmax


def mapping(text: str) -> dict[str, str]:
    """An argument that says which class is meant by other names.

    Args:
        text: The argument.

    Returns:
        Classes by those names.

    Raises:
        argparse.ArgumentTypeError: If it is no list of names with classes, or gives one name two.

    Example:
        >>> mapping("with_mask=face, without_mask=face")
        {'with_mask': 'face', 'without_mask': 'face'}
    """
    pairs = [pair.partition("=") for pair in text.split(",")]
    if not all(name.strip() and equals and target.strip() for name, equals, target in pairs):
        raise argparse.ArgumentTypeError(f"wanted NAME=CLASS, separated by commas, got {text!r}")
    meant: dict[str, str] = {}
    for name, target in ((name.strip(), target.strip()) for name, _, target in pairs):
        if meant.setdefault(name, target) != target:
            raise argparse.ArgumentTypeError(
                f"wanted one class for {name}, got {meant[name]} and {target}"
            )
    return meant
