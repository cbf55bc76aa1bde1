"""Programs in other languages find what Python finds, on the same files (`make test-elsewhere`)."""

import base64
import contextlib
import functools
import http.server
import importlib.util
import io
import pathlib
import shutil
import subprocess
import threading

import box_files
import browser
import numpy as np
import pytest
from PIL import Image

import ssd
from ssd.shipped import SHIPPED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHIPPED.is_file(), reason="no model ships"),
]
ROOT = pathlib.Path(__file__).parent.parent
PAGE = ROOT / "docs" / "try"
# What the page is made of, and nothing else is asked for.
MADE = ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]


@pytest.fixture(scope="module")
def detector():
    return ssd.Detector(SHIPPED.with_suffix(".keras"), suppression="nms")


@pytest.fixture(scope="module")
def photos():
    """Five photos with faces, one of them upright."""
    found = box_files.faces(5)
    return [*found[:4], np.ascontiguousarray(found[4][:, : found[4].shape[1] // 2])]


def test_the_examples_are_short():
    for path in (ROOT / "examples" / "detect.cpp", PAGE / "detect.js"):
        assert len(path.read_text().splitlines()) < 150


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_program_in_cpp_finds_the_same(detector, photos, tmp_path, precision):
    if not shutil.which("g++"):
        pytest.skip("no g++")
    found = importlib.util.find_spec("ai_edge_litert")
    library = found and pathlib.Path(found.submodule_search_locations[0], "libLiteRt.so")
    if not (library and library.is_file()):
        pytest.skip("no libLiteRt.so")
    program, source = tmp_path / "detect", ROOT / "examples" / "detect.cpp"
    warnings = ("-Wall", "-Wextra", "-Werror")
    link = (library, f"-Wl,-rpath,{library.parent}")
    subprocess.run(
        ["g++", "-std=c++17", *warnings, "-O2", source, *link, "-o", program], check=True
    )

    file = tmp_path / "boxes.tflite"
    if precision == "int8":
        _, detector = box_files.give_boxes(SHIPPED, file)
        # Where one byte of the input is another, another of two equal boxes may win.
        photos = [ssd.letterbox(photo, detector.config) for photo in photos]
    else:
        ssd.export(ssd.load(SHIPPED.with_suffix(".keras")), file, precision=precision, boxes=True)
    paths = [tmp_path / f"{number}.ppm" for number in range(len(photos))]
    for path, photo in zip(paths, photos, strict=True):
        Image.fromarray(photo).save(path)
    done = subprocess.run([program, file, *paths], check=True, capture_output=True, text=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert len(rows) >= 5
    for path, photo in zip(paths, photos, strict=True):
        here = [row[1:] for row in rows if row[0] == str(path)]
        assert {row[0] for row in here} <= {"1"}
        boxes = np.array([row[2:] for row in here], float).reshape(-1, 4)
        scores = np.array([row[1] for row in here], float)
        box_files.assert_found(boxes, scores, detector(photo), photo, detector.config)

    refused = subprocess.run([program, file, source], capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1] == f"{source}: wanted a PPM photo (P6, 255)"


@contextlib.contextmanager
def served(folder):
    """The address of a static server, and what it was asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_request(self, *_):
            asked.append((self.command, self.path))

    handler = functools.partial(Handler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page with what `make page` adds, the model made anew."""
    if not (PAGE / "runtime" / MADE[0]).is_file():
        pytest.skip("no onnxruntime-web: make page")
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(PAGE, folder, dirs_exist_ok=True)
    pytest.importorskip("onnx")
    ssd.export(ssd.load(SHIPPED.with_suffix(".keras")), folder / "face.onnx", boxes=True)
    return folder


def file(content, name):
    """A File of a browser, in JavaScript."""
    letters = base64.b64encode(content).decode()
    return f'new File([Uint8Array.from(atob("{letters}"), (c) => c.charCodeAt(0))], "{name}")'


def png(photo):
    """A photo as a File."""
    content = io.BytesIO()
    Image.fromarray(photo).save(content, "PNG")
    return file(content.getvalue(), "photo.png")


# What the browser says when the page would speak to another server.
ELSEWHERE = """new Promise((done) => {
    document.addEventListener("securitypolicyviolation", (no) => done(no.effectiveDirective));
    fetch("http://127.0.0.1:9/").then(() => done("sent"), () => setTimeout(done, 1000, "allowed"));
})"""


@pytest.mark.skipif(browser.find() is None, reason="no Chromium")
def test_a_page_finds_the_same_and_tells_nobody(detector, photos, site, page, tmp_path):
    with served(site) as (address, asked):
        page.open(f"{address}/index.html", ready="said.textContent === 'Ready.'")
        loaded, total = len(asked), 0
        for photo in photos:
            found = page.ask(f'import("./page.js").then(({{show}}) => show({png(photo)}))')
            boxes = np.array([each["box"] for each in found]).reshape(-1, 4)
            scores = np.array([each["score"] for each in found])
            box_files.assert_found(boxes, scores, detector(photo), photo, detector.config)
            total += len(found)
        assert total >= 5
        page.picture(tmp_path / "page.png")
        assert " ms, scaling the photo" in page.ask("said.textContent")
        # Once loaded, not even its own server hears of a photo.
        assert len(asked) == loaded
        paths = {path for command, path in asked if command == "GET"}
        own = {"/index.html", "/page.js", "/detect.js", "/face.onnx"}
        assert paths - {"/favicon.ico"} == own | {f"/runtime/{name}" for name in MADE}
        assert page.ask(ELSEWHERE) == "connect-src"
    assert not page.problems


DROP = """(() => {
    const what = new DataTransfer();
    what.items.add(%s);
    document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: what, bubbles: true}));
})()"""


@pytest.mark.skipif(browser.find() is None, reason="no Chromium")
def test_a_page_takes_what_is_dropped_and_says_what_it_cannot_do(photos, site, page):
    with served(site) as (address, _):
        page.open(f"{address}/index.html", ready="said.textContent === 'Ready.'")
        page.ask(DROP % file(b"nothing to see", "notes.txt"))
        page.until("said.textContent === 'notes.txt is no photo that this browser can read.'")
        page.ask(DROP % png(photos[0]))
        page.until("/^\\d+ faces? in \\d+ ms/.test(said.textContent)")
        assert not page.ask("said.classList.contains('wrong')")
        assert page.ask("document.querySelector('canvas').width") == photos[0].shape[1]

    folder = site.with_name("bare")
    shutil.copytree(site, folder, ignore=shutil.ignore_patterns("runtime", "face.onnx"))
    with served(folder) as (address, _):
        page.open(f"{address}/index.html", ready="said.classList.contains('wrong')")
        assert '"make page" puts it here' in page.ask("said.textContent")
