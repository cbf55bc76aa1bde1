"""Which commit of this library a model was trained by, where it is run from a checkout."""

import pathlib
import subprocess


def commit(root: pathlib.Path) -> str | None:
    """The commit that a checkout stands at.

    Args:
        root: The folder that holds this package.

    Returns:
        40 hex digits, with a `+` after them where tracked files differ from that commit; None if
        `root` is no checkout's own top, as of an installed copy, or there is no git.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     commit(pathlib.Path(folder))
    """
    try:
        top = pathlib.Path(_git(root, "rev-parse", "--show-toplevel"))
        # An environment may lie inside somebody's own checkout, whose commit says nothing of us.
        if top.resolve() != root.resolve():
            return None
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
        return _git(root, "rev-parse", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root, *arguments):
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
