"""Something to look at while a run lasts: a window where there is one, else a page."""

from collections.abc import Callable

from ssd.sinks.page import Page
from ssd.sinks.sink import Sink
from ssd.sinks.window import Window


def open_show(say: Callable[[str], object]) -> Sink:
    """A `Window`, or where there is no screen or no Tk a `Page`.

    Args:
        say: Is told where the page is.

    Returns:
        The sink.

    Example:
        >>> sink = open_show(lambda line: None)
        >>> sink.visual
        True
        >>> sink.close()
    """
    try:
        return Window()
    except (ImportError, OSError):
        page = Page()
        say(f"watch at {page.address}")
        return page
