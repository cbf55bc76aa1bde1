"""A window that shows what is seen, by Tk, which comes with most Pythons."""

from typing import Any

from PIL import Image

from ssd.sinks.sink import FrameResult, Sink


class Window(Sink):
    """Shows each picture; closing it, or `q` or Escape, ends the run.

    Raises:
        ImportError: If this Python has no Tk.
        OSError: If there is no screen.

    Example:
        >>> try:
        ...     Window().close()
        ... except (ImportError, OSError):
        ...     pass
    """

    visual = True

    def __init__(self) -> None:
        import tkinter

        from PIL import ImageTk

        try:
            self._window: Any = tkinter.Tk(className="ssd detect")
        except tkinter.TclError as error:
            raise OSError(f"wanted a window ({error})") from None
        self._photo_image = ImageTk.PhotoImage
        self._label: Any = tkinter.Label(self._window, borderwidth=0)
        self._label.pack()
        self._window.protocol("WM_DELETE_WINDOW", self._end)
        for key in ("q", "<Escape>"):
            self._window.bind(key, lambda _: self._end())

    def add(self, result: FrameResult) -> None:
        """Show a picture.

        Args:
            result: The `FrameResult`.
        """
        if result.picture is None or self.ended:
            return
        image = self._photo_image(Image.fromarray(result.picture), master=self._window)
        self._label.configure(image=image)
        self._label.image = image  # Tk does not keep it itself
        self._window.update()

    def close(self) -> None:
        """Close the window."""
        self._window.destroy()

    def _end(self) -> None:
        self.ended = True
