"""A headless Chromium for tests, spoken to over a pipe in its own debugging protocol."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")


def find():
    """Path of a Chromium, from the environment variable CHROMIUM or among the commands; or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


CTRL, SHIFT = 2, 8  # as the protocol has them

# The browser reads commands from descriptor 3 and answers on 4.
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One page: it can be opened, asked, typed to, clicked on, and looked at."""

    def __init__(self, send, downloads):
        self._send = send
        self.downloads = downloads  # folder of what it saves
        self.problems = []  # exceptions and errors that the page met

    def open(self, path, *, ready):
        """Opens a file or address and waits until an expression holds; returns the seconds."""
        start = time.monotonic()
        self._send("Page.navigate", url=path if isinstance(path, str) else path.absolute().as_uri())
        self.until(ready)
        return time.monotonic() - start

    def downloaded(self, name):
        """What a file that the page saves holds, once all of its JSON is there."""
        file, deadline = self.downloads / name, time.monotonic() + 120
        while True:
            try:  # the browser makes an empty file first
                return json.loads(file.read_text())
            except (FileNotFoundError, ValueError):
                assert time.monotonic() < deadline, f"{name} was not saved"
            time.sleep(0.02)

    def ask(self, expression):
        """The value of a JavaScript expression."""
        answer = self._send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"].get("description"))
        return answer["result"].get("value")

    def until(self, expression, seconds=30):
        """Waits until an expression holds."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(AssertionError):  # the page is not that far
                if self.ask(expression):
                    return
            assert time.monotonic() < deadline, f"never came true: {expression}; {self.problems}"
            time.sleep(0.01)

    def press(self, *keys, shift=False, ctrl=False):
        """Presses keys, one after the other."""
        for key in keys:
            text = key if len(key) == 1 and not ctrl else {"Enter": "\r"}.get(key, "")
            what = {"key": key, "windowsVirtualKeyCode": {"Escape": 27, "Enter": 13}.get(key, 0)}
            what["modifiers"] = SHIFT * shift | CTRL * ctrl
            self._send("Input.dispatchKeyEvent", type="keyDown", text=text, **what)
            self._send("Input.dispatchKeyEvent", type="keyUp", **what)

    def click(self, x, y):
        """Clicks on a point, in pixels of the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self._send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, x, y, to_x, to_y, *, shift=False):
        """Presses the mouse at one point and lets go of it at another."""
        where = {"button": "left", "clickCount": 1, "modifiers": SHIFT * shift}
        self._send("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, **where)
        for part in (0.5, 1):
            at = {"x": x + part * (to_x - x), "y": y + part * (to_y - y)}
            self._send("Input.dispatchMouseEvent", type="mouseMoved", **at, **where)
        self._send("Input.dispatchMouseEvent", type="mouseReleased", x=to_x, y=to_y, **where)

    def set(self, name, value):
        """Gives a field of the form another value, as a person does."""
        self.ask(
            f"(() => {{ const field = document.querySelector('[name={name}]');"
            f"field.type === 'checkbox' ? field.checked = {json.dumps(value)}"
            f" : field.value = {json.dumps(str(value))};"
            "field.dispatchEvent(new Event('input', {bubbles: true})); })()"
        )
        self.rest(150)  # the page waits a moment for the next key

    def rest(self, milliseconds=10):
        """Waits for what the page has put off until then, however busy the machine is."""
        self.ask(f"new Promise((done) => setTimeout(done, {milliseconds}))")

    def dark(self):
        """Asks for the dark colors."""
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        self._send("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path):
        """Writes what can be seen to a PNG file."""
        path.write_bytes(base64.b64decode(self._send("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def opened(downloads, *, size=(1280, 800)):
    """A `Page` of a browser that is closed at the end; what it saves goes to a folder."""
    to_read, to_write = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        switches = (
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
            *("--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
            *("--disable-background-networking", f"--window-size={size[0]},{size[1]}"),
        )
        ends = [str(to_read[0]), str(to_write[1])]
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", LAUNCH, *ends, find(), *switches],
            pass_fds=[to_read[0], to_write[1]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read[0])
        os.close(to_write[1])
        with os.fdopen(to_read[1], "wb", 0) as commands, os.fdopen(to_write[0], "rb") as answers:
            try:
                yield _attached(commands, answers, downloads, size)
            finally:
                process.kill()
                process.wait()


def _attached(commands, answers, downloads, size):
    number = 0
    session = {}
    page = None

    def receive():
        message = bytearray()
        while (byte := answers.read(1)) != b"\0":
            assert byte, "the browser ended"
            message += byte
        return json.loads(message)

    def send(method, **parameters):
        nonlocal number
        number += 1
        message = {"id": number, "method": method, "params": parameters, **session}
        commands.write(json.dumps(message).encode() + b"\0")
        while (answer := receive()).get("id") != number:
            if answer.get("method") == "Runtime.exceptionThrown":
                page.problems.append(answer["params"]["exceptionDetails"])
        assert "error" not in answer, (method, answer)
        return answer["result"]

    page = Page(send, downloads)
    (target,) = (t for t in send("Target.getTargets")["targetInfos"] if t["type"] == "page")
    send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    found = send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
    session["sessionId"] = found["sessionId"]
    send("Page.enable")
    send("Runtime.enable")
    width, height = size
    send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    return page
