"""Draws docs/review.png and docs/review_editing.png: the review page, of composed photos.

    python docs/review_picture.py

120 photos are composed (examples/compose.py) and labeled by MTCNN, looking twice; it takes two
minutes. A Chromium is needed, as for the tests of the page.
"""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tests"))
import browser
from compose import write_photos
from PIL import Image

from distill.labeling import Options, label
from distill.review import pages

DOCS = pathlib.Path(__file__).parent
SIZE = (1280, 840)  # of the window
MARKED = "0034.jpg"  # a photo on which regions are dropped
EDITED = "0109.jpg"  # a photo of three faces, the largest of which is dropped and drawn anew


def main() -> None:
    """Compose, label, open, mark, and look."""
    with tempfile.TemporaryDirectory() as folder:
        photos, labels = pathlib.Path(folder, "photos"), pathlib.Path(folder, "labels")
        photos.mkdir()
        write_photos(photos, 120, 1)
        label(photos, labels, Options(second_opinion="mirror"))
        with browser.opened(folder, size=SIZE) as page:
            take_pictures(page, pages.write_page(labels))


def take_pictures(page: browser.Page, path: pathlib.Path) -> None:
    """The photos least sure, then one of them being edited."""
    page.open(path, ready="document.querySelectorAll('figure').length > 0")
    page.set("sort", "unsure")
    page.set("score-high", 0.99)
    page.ask("document.querySelector('#scroller').focus()")
    go(page, MARKED)
    page.press("n", "x", "n", "x")
    go(page, EDITED)
    page.press("n", "e", "ArrowUp", "Enter", "Escape")
    page.press("Home")
    page.until("[...document.querySelectorAll('figure img')].every((image) => image.naturalWidth)")
    save(page, DOCS / "review.png")
    page.set("score-high", "")
    page.ask("document.querySelector('#scroller').focus()")
    go(page, EDITED)
    page.press("Enter", "n", "x", "d", *["ArrowRight"] * 34, *["ArrowDown"] * 20)
    page.press(*["ArrowLeft"] * 4, *["ArrowUp"] * 3, shift=True)
    page.until("document.querySelector('#closer img').naturalWidth")
    save(page, DOCS / "review_editing.png")


def go(page: browser.Page, name: str) -> None:
    """Makes a photo the current one."""
    page.ask(
        f"cursor.go([...filters.order].findIndex((photo) => labels.names[photo] === '{name}'))"
    )


def save(page: browser.Page, path: pathlib.Path) -> None:
    """Writes what can be seen."""
    page.rest(200)
    page.picture(path)
    with Image.open(path) as image:
        image.convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main()
