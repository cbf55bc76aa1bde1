"""A page on this machine that shows what is seen: MJPEG, for where there is no window."""

import http.server
import io
import threading

from PIL import Image

from ssd.sinks.sink import FrameResult, Sink

PORT = 8000
_ADDRESS = "127.0.0.1"  # pictures of a camera are for nobody else
_BOUNDARY = "frame"
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>ssd detect</title>
<style>body{margin:0;background:#222}img{display:block;margin:auto;max-width:100%}</style>
<img src="stream" alt="what is seen">"""


class Page(Sink):
    """Serves the latest picture on 127.0.0.1, and nothing to any other machine.

    Args:
        port: The port; another that is free where that is taken.

    Attributes:
        address: What to type into a browser.

    Example:
        >>> page = Page()
        >>> page.address.startswith("http://127.0.0.1:")
        True
        >>> page.close()
    """

    visual = True

    def __init__(self, port: int = PORT) -> None:
        self._picture, self._count = b"", 0
        self._changed = threading.Condition()
        self._closed = False
        try:
            self._server = _Server((_ADDRESS, port), _Handler)
        except OSError:
            self._server = _Server((_ADDRESS, 0), _Handler)
        self._server.page = self
        self.address = f"http://{_ADDRESS}:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, result: FrameResult) -> None:
        """Show a picture.

        Args:
            result: The `FrameResult`.
        """
        if result.picture is None:
            return
        file = io.BytesIO()
        Image.fromarray(result.picture).save(file, "JPEG", quality=80)
        with self._changed:
            self._picture, self._count = file.getvalue(), self._count + 1
            self._changed.notify_all()

    def next_picture(self, seen: int) -> tuple[bytes, int]:
        """Wait for a picture that a browser has not seen.

        Args:
            seen: The number of the last that it has.

        Returns:
            (a JPEG file, its number); an empty file when there are no more.
        """
        with self._changed:
            while self._count == seen and not self._closed:
                self._changed.wait()
            return (b"" if self._closed else self._picture), self._count

    def close(self) -> None:
        """Serve no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    page: Page


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        # A page of the web whose name was made to lead here would else be let in as its own.
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in (_ADDRESS, "localhost"):
            self.send_error(403, "only for this machine")
        elif self.path == "/":
            self._send_head("text/html")
            self.wfile.write(_PAGE)
        elif self.path == "/stream":
            self._send_head(f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
            self._stream()
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are nobody's business on the terminal."""

    def _send_head(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()

    def _stream(self) -> None:
        picture, seen = self.server.page.next_picture(0)
        try:
            while picture:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: "
                self.wfile.write(f"{head}{len(picture)}\r\n\r\n".encode() + picture + b"\r\n")
                picture, seen = self.server.page.next_picture(seen)
        except OSError:
            pass  # the browser has gone
