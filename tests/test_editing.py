"""Boxes drawn, moved, resized and given a class on the review page, and what labels make of it."""

import json

import browser
import numpy as np
import pytest
from test_review import READY, drawn, photo, write_labels

from distill.__main__ import main
from distill.review import pages
from distill.review.marking import LEAST_SIDE
from ssd.data import coco, records

pytestmark = pytest.mark.skipif(
    browser.find() is None,
    reason="no Chromium: not among the commands, and CHROMIUM does not name one",
)

PENDING = "document.querySelector('#pending').textContent"
ONE, NONE, TWO, UNSURE = "one.jpg", "none.jpg", "two.jpg", "unsure.jpg"
PLACES = {ONE: 0, NONE: 1, TWO: 2, UNSURE: 3}


@pytest.fixture
def labels(page, tmp_path):
    """Four photos of 200×100 pixels, faces and hands, and their page opened."""
    photos = [
        photo(ONE, [[10, 20, 50, 60]], [1], [0.999]),
        photo(NONE),
        photo(TWO, [[0, 0, 90, 90], [20, 120, 40, 140]], [1, 1], [0.96, 0.98]),
        photo(UNSURE, [[10, 10, 70, 70]], [-1], [0.7]),
    ]
    folder = write_labels(tmp_path / "labels", [photos[:3], photos[3:]], classes=["face", "hand"])
    pages.write_page(folder)
    page.open(folder / "review.html", ready=READY)
    yield folder
    assert page.problems == []


def go(page, name, *, closer=False):
    page.press("Home", *["ArrowRight"] * PLACES[name], *["Enter"] * closer)


def said(labels, name):
    """{number of a box: (place, class, score)} as the shards have it."""
    found = next(each for each in records.read(labels) if each.filename == name)
    scores = found.scores.round(3).tolist()
    return list(zip(found.boxes.tolist(), found.class_ids.tolist(), scores, strict=True))


def in_pixels(place):
    return np.multiply(place, [100, 200, 100, 200])


def saved(page, press="s"):
    """The marks in the file that the page saves."""
    (page.downloads / "marks.json").unlink(missing_ok=True)
    page.press(press)
    return page.downloaded("marks.json")["marks"]


def take_back(page, labels):
    assert main(["--review", str(labels), "--marks", str(page.downloads / "marks.json")]) == 0


class Closer:
    """The photo as it is shown large, in its own pixels."""

    def __init__(self, page):
        self._page = page
        rect = "document.querySelector('#closer svg').getBoundingClientRect()"
        self.left, self.top, self.wide, self.high = page.ask(
            f"(({{x, y, width, height}}) => [x, y, width, height])({rect})"
        )

    def at(self, y, x):
        return self.left + x / 200 * self.wide, self.top + y / 100 * self.high

    def drag(self, start, end, **keys):
        self._page.drag(*self.at(*start), *self.at(*end), **keys)

    def handle(self, box, name):
        """Where the handle of a box is, in pixels of the photo."""
        x, y = self._page.ask(
            "(({x, y, width, height}) => [x + width / 2, y + height / 2])(document.querySelector("
            f"'#closer [data-box=\"{box}\"] .handle.{name}').getBoundingClientRect())"
        )
        return (y - self.top) / self.high * 100, (x - self.left) / self.wide * 200

    def click(self, selector):
        """On the middle of an element."""
        x, y = self._page.ask(
            "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({json.dumps('#closer ' + selector)}).getBoundingClientRect())"
        )
        self._page.click(x, y)


def edit_by_keys(page):
    go(page, ONE)
    page.press("e", "ArrowDown", "ArrowDown", "ArrowRight")  # 2 pixels, the hundredth part of 200
    page.press("ArrowDown", ctrl=True)  # and the tenth part of that
    page.press("ArrowRight", "ArrowRight", shift=True)
    page.press("Enter", "Escape")
    go(page, NONE)
    page.press("d", *["ArrowLeft"] * 3)
    page.press("ArrowUp", shift=True)
    page.press("Enter", "Escape")
    go(page, TWO)
    page.press("n", "n", "2")
    go(page, UNSURE)
    page.press("n", "1")


def edit_by_mouse(page):
    go(page, ONE, closer=True)
    look = Closer(page)
    look.drag((30, 40), (34.2, 42))
    y, x = look.handle(0, "e")
    look.drag((y, x), (y, x + 4))
    page.press("Escape")
    go(page, NONE, closer=True)
    look.drag((37.5, 81.5), (60.5, 106.5))
    page.press("Escape")
    go(page, TWO, closer=True)
    page.ask(
        "(() => { const list = document.querySelectorAll('#closer select')[1]; list.value = 2;"
        "list.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    page.press("Escape")
    go(page, UNSURE, closer=True)
    look.click("[name=promote]")
    page.press("Escape")


@pytest.mark.parametrize("edit", [edit_by_keys, edit_by_mouse])
def test_what_is_edited_is_what_the_shards_hold(page, labels, edit):
    before = {name: said(labels, name) for name in PLACES}
    edit(page)
    assert page.ask(PENDING) == "4 marks to save"
    page.open(labels / "review.html", ready=READY)  # the browser remembers
    assert page.ask(PENDING) == "4 marks to save"
    marks = saved(page)
    moved, made, reclassed, promoted = marks
    assert (moved["photo"], moved["box"]) == (ONE, before[ONE][0][0])
    # By mouse to the pixel of the screen, by keys exactly.
    np.testing.assert_allclose(in_pixels(moved["move"]), [14.2, 22, 54.2, 66], atol=0.25)
    assert (made["photo"], made["draw"]) == (NONE, "face")
    np.testing.assert_allclose(in_pixels(made["box"]), [37.5, 81.5, 60.5, 106.5], atol=0.25)
    assert reclassed == {"photo": TWO, "box": before[TWO][1][0], "class": "hand"}
    assert promoted == {"photo": UNSURE, "box": before[UNSURE][0][0], "class": "face"}

    take_back(page, labels)
    assert said(labels, ONE) == [(moved["move"], 1, 1)]
    assert said(labels, NONE) == [(made["box"], 1, 1)]
    assert said(labels, TWO) == [before[TWO][0], (before[TWO][1][0], 2, 1)]
    assert said(labels, UNSURE) == [(before[UNSURE][0][0], 1, 1)]
    truth = coco.from_photos(records.read(labels), ["face", "hand"])
    kinds = [(each["image_id"], each["category_id"]) for each in truth["annotations"]]
    assert kinds == [(1, 1), (2, 1), (3, 1), (3, 2), (4, 1)]

    # The page shows it as it is, and can take it back.
    page.open(labels / "review.html", ready=READY)
    assert page.ask(PENDING) == "no new marks"
    ((_, kind, text, *place),) = drawn(page, "#photo-0")
    assert (kind, text) == ("face edited", "✎ face .999")
    np.testing.assert_allclose(in_pixels(place), in_pixels(moved["move"]), atol=1)
    assert [row[1:3] for row in drawn(page, "#photo-1")] == [["face edited", "✎ face"]]
    assert drawn(page, "#photo-2")[1][1:3] == ["face edited", "✎ hand .980"]
    go(page, NONE)
    page.press("x")
    go(page, UNSURE)
    page.press("n", "0")
    saved(page)
    take_back(page, labels)
    assert said(labels, NONE) == []
    assert said(labels, UNSURE) == before[UNSURE]


def test_a_face_may_be_of_unknown_class_by_key_or_from_the_list(page, labels):
    """One made unknown, one drawn so, one unknown in the labels that is given a class."""
    go(page, TWO)
    page.press("n", "?", "n")
    page.press("Enter")
    options = "[...document.querySelector('#closer select').options].map((each) => each.text)"
    assert page.ask(options) == ["face", "hand", "unknown", "ignore"]
    page.ask(
        "(() => { const list = document.querySelectorAll('#closer select')[1]; list.value = -2;"
        "list.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )
    page.press("Escape")
    go(page, NONE)
    page.press("d", "?", "Enter", "Escape")
    page.open(labels / "review.html", ready=READY)  # the browser remembers
    assert [row[1:3] for row in drawn(page, "#photo-2")] == [
        ["face edited", "✎ unknown class .960"],
        ["face edited", "✎ unknown class .980"],
    ]
    words = [mark.get("class") or mark["draw"] for mark in saved(page)]
    assert words == ["unknown"] * 3
    take_back(page, labels)
    assert [class_id for name in (NONE, TWO) for _, class_id, _ in said(labels, name)] == [
        *[records.UNKNOWN] * 3
    ]

    # It counts as a face; a class by key is then a class.
    pages.write_page(labels)
    page.open(labels / "review.html", ready=READY)
    assert "4 faces" in page.ask("document.querySelector('#summary').textContent")
    go(page, TWO)
    page.press("n", "2", "n", "0")
    words = [mark["class"] for mark in saved(page)]
    assert words == ["hand", "ignore"]
    take_back(page, labels)
    assert [class_id for _, class_id, _ in said(labels, TWO)] == [2, records.IGNORE]


def test_where_there_is_one_class_none_is_unknown(page, tmp_path):
    folder = write_labels(tmp_path / "labels", [[photo(ONE, [[10, 20, 50, 60]], [1], [0.9])]])
    pages.write_page(folder)
    page.open(folder / "review.html", ready=READY)
    page.press("n", "?")
    assert page.ask(PENDING) == "no new marks"
    hidden = "[...document.querySelectorAll('.of-classes')].every((each) => each.hidden)"
    assert page.ask(hidden)


def test_boxes_stay_on_the_photo_and_of_a_least_size(page, labels):
    go(page, ONE)
    page.press("e", *["ArrowUp"] * 12, *["ArrowLeft"] * 15, "Enter")
    page.press("ArrowRight", "ArrowRight", "ArrowRight", "e")
    page.press(*["ArrowUp"] * 40, *["ArrowLeft"] * 40, shift=True)
    page.press("Enter", "Escape")
    go(page, NONE, closer=True)
    Closer(page).drag((90, 190), (140, 260))
    Closer(page).drag((50, 100), (80, 100))  # a line
    cornered, out, line, small = (mark.get("move") or mark["box"] for mark in saved(page))
    np.testing.assert_allclose(in_pixels(cornered), [0, 0, 40, 40], atol=1e-3)
    np.testing.assert_allclose(in_pixels(out), [90, 190, 100, 200], atol=0.25)
    np.testing.assert_allclose(in_pixels(line), [50, 100, 80, 100 + LEAST_SIDE], atol=0.25)
    np.testing.assert_allclose(in_pixels(small), [10, 10, *[10 + LEAST_SIDE] * 2], atol=1e-3)
    take_back(page, labels)
    assert [place for name in PLACES for place, _, _ in said(labels, name)][:3] == [
        *(cornered, out, line),
    ]
    page.press("Escape")


def test_a_handle_resizes_and_goes_no_further_than_the_other_side(page, labels):
    go(page, ONE, closer=True)
    look = Closer(page)
    for name, end, wanted in (
        ("nw", (20, 10), [20, 10, 50, 60]),
        ("se", (70, 90), [20, 10, 70, 90]),
        ("n", (10, 0), [10, 10, 70, 90]),
        ("w", (0, 40), [10, 40, 70, 90]),
        ("ne", (5, 80), [5, 40, 70, 80]),
        ("sw", (90, 30), [5, 30, 90, 80]),
        ("s", (60, 0), [5, 30, 60, 80]),
        ("e", (0, 5), [5, 30, 60, 30 + LEAST_SIDE]),
    ):
        y, x = look.handle(0, name)
        target, place = np.array(end), in_pixels(placed(page, labels, 0))
        sides = {"n": 0, "w": 1, "s": 2, "e": 3}
        by = [0.0, 0.0]
        for letter in name:
            side = sides[letter]
            by[side % 2] = target[side % 2] - place[side]
        look.drag((y, x), (y + by[0], x + by[1]))
        np.testing.assert_allclose(in_pixels(placed(page, labels, 0)), wanted, atol=0.8)
    page.press(*"uuuuuuuu")
    assert page.ask(PENDING) == "no new marks"
    page.press("Escape")


def placed(page, labels, box):
    """Where the page has a box."""
    return page.ask(f"[...placeOf({box})]")


def test_a_draft_can_be_left_and_the_look_goes_on(page, labels):
    go(page, ONE)
    page.press("e", "ArrowDown", "Escape")
    assert page.ask("document.querySelector('#closer').open")
    page.press("d", "ArrowDown", "Escape")
    assert page.ask(PENDING) == "no new marks"
    page.press("d", "ArrowRight", "2", "n")  # another key ends it: it is as it stands
    (mark,) = saved(page)
    assert (mark["photo"], mark["draw"]) == (ONE, "hand")
    page.press("d", "Escape", "Escape")
    assert not page.ask("document.querySelector('#closer').open")


def test_boxes_are_drawn_over_others(page, labels):
    go(page, TWO, closer=True)
    look = Closer(page)
    look.drag((5, 5), (20, 30), shift=True)
    look.click("[data-box='1'] .box")  # a click drops the box
    assert "dropped" in drawn(page, "#closer")[0][1]
    look.drag((60, 20), (80, 50))  # and over it another is drawn
    look.click("[name=draw]")
    look.drag((50, 100), (50, 150))  # the new one in the middle is moved
    *made, dropped, moved = saved(page)
    middle = [37.5, 87.5, 62.5, 112.5]
    for mark, place in zip(made, ([5, 5, 20, 30], [60, 20, 80, 50], middle), strict=True):
        assert mark["draw"] == "face"
        np.testing.assert_allclose(in_pixels(mark["box"]), place, atol=0.25)
    assert dropped == {"photo": TWO, "box": said(labels, TWO)[0][0], "drop": True}
    assert moved["box"] == made[2]["box"]
    np.testing.assert_allclose(in_pixels(moved["move"]), np.add(middle, [0, 50, 0, 50]), atol=0.25)
    page.press("Escape")


def test_what_a_saved_file_says_and_undo_takes_back_is_said_in_the_next(page, labels):
    go(page, ONE)
    page.press("d", "Enter", "Escape", "n", "x")
    first = saved(page)
    (made,) = (mark["box"] for mark in first if "draw" in mark)
    take_back(page, labels)
    page.press("u", "u")
    assert page.ask(PENDING) == "2 marks to save"
    second = saved(page)
    assert [mark.get("draw", mark.get("drop")) for mark in second] == [False, False]
    assert made in [mark["box"] for mark in second]
    before = labels.parent / "before"
    write_labels(before, [[photo(ONE, [[10, 20, 50, 60]], [1], [0.999])]])
    take_back(page, labels)
    assert said(labels, ONE) == said(before, ONE)


def test_a_mark_of_the_whole_photo_does_not_hide_its_boxes(page, labels):
    go(page, UNSURE)
    page.press("i", "n", "1")
    saved(page)
    take_back(page, labels)
    assert said(labels, UNSURE) == [([0, 0, 1, 1], records.IGNORE, 1)]
    page.open(labels / "review.html", ready=READY)
    go(page, UNSURE)
    page.press("i")
    saved(page)
    take_back(page, labels)
    ((_, label, _),) = said(labels, UNSURE)
    assert label == 1


def test_one_click_filters_by_what_is_edited(page, labels):
    go(page, UNSURE)
    page.press("n", "1")
    page.set("marks", "marked")
    names = page.ask("[...document.querySelectorAll('figcaption bdi')].map((name) => name.title)")
    assert names == [UNSURE]
    assert page.ask("document.querySelector('figcaption span').textContent") == "1 face, ✎ 1"
