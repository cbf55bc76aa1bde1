"""The audit's page: its data everywhere, the page itself where there is a Chromium."""

import json
import time

import browser
import numpy as np
import pytest
from test_review import HOSTILE, few, in_a_browser, photo, write_labels

from distill.audit.auditing import draw
from distill.audit.files import read_answers, write_sample
from distill.audit.page import write_audit_page
from ssd.data import records


def drawn(labels, **options):
    sample = draw(labels, **options)
    write_sample(labels, sample)
    return sample, write_audit_page(labels, sample)


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text.partition('id="audit">')[2].partition("</script>")[0])


def test_the_page_is_one_file_that_holds_all_it_shows(tmp_path):
    labels = few(tmp_path / "labels")
    sample, path = drawn(labels)
    text = path.read_text(encoding="utf-8")
    assert "<script src" not in text
    assert "<link" not in text
    assert "{{" not in text
    shown = data_of(path)
    stored = {each.filename: each for each in records.read(labels)}
    assert shown["id"] == sample["id"]
    assert {each["name"] for each in shown["photos"]} == {i["photo"] for i in sample["items"]}
    for item, drawn_item in zip(shown["items"], sample["items"], strict=True):
        found = shown["photos"][item["photo"]]
        assert found["name"] == drawn_item["photo"]
        assert found["boxes"] == stored[found["name"]].boxes.tolist()
        assert (item["box"] < 0) == (drawn_item["kind"] == "empty")
        if item["box"] >= 0:
            assert found["boxes"][item["box"]] == drawn_item["box"]


def test_only_what_was_drawn_is_read_again(tmp_path, monkeypatch):
    labels = few(tmp_path / "labels")
    sample = draw(labels, number=1)
    monkeypatch.delattr(records, "read_serialized")
    shown = data_of(write_audit_page(labels, sample))
    assert {each["name"] for each in shown["photos"]} == {i["photo"] for i in sample["items"]}
    sample["items"][0]["record"] = 10**6
    with pytest.raises(ValueError, match="has changed since the sample was drawn from it"):
        write_audit_page(labels, sample)


def test_hostile_names_stay_names(tmp_path):
    labels = write_labels(
        tmp_path / "labels", [[photo(name, [[5, 5, 50, 50]], [1], [0.99]) for name in HOSTILE]]
    )
    _, path = drawn(labels)
    assert path.read_text(encoding="utf-8").count("</script>") == 2
    assert {each["name"] for each in data_of(path)["photos"]} == set(HOSTILE)


# ---- In a browser ----


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    downloads = tmp_path_factory.mktemp("downloads")
    with browser.opened(downloads) as page:
        page.downloads = downloads
        yield page


READY = "document.querySelector('#whole rect, #whole image') !== null"
PROGRESS = "document.querySelector('#progress').textContent"
QUESTION = "document.querySelector('#question').textContent"
NAME = "document.querySelector('#place').textContent.split(' · ')[1]"
MISSED = "document.querySelector('#missed').textContent"
ASKED = "document.querySelectorAll('#whole .asked:not(.halo)').length"


def saved(page):
    file = page.downloads / "answers.json"
    file.unlink(missing_ok=True)
    page.press("s")
    page.downloaded(file.name)
    return file


@in_a_browser
def test_a_sample_is_judged_by_keys_kept_saved_and_read(page, tmp_path):
    labels = few(tmp_path / "labels")
    sample, path = drawn(labels, number=50)
    page.open(path, ready=READY)
    wanted, missing = {}, {}
    for place, item in enumerate(sample["items"]):
        assert page.ask(NAME) == item["photo"]
        assert page.ask(ASKED) == (item["kind"] != "empty")
        if item["kind"] == "label" and item["photo"] not in missing:
            page.press("m", "m", "M")
            missing[item["photo"]] = 1
        if item["kind"] == "empty":
            page.press("w")  # there is nothing to be wrong
            assert page.ask(NAME) == item["photo"]
        else:
            wanted[place] = place % 2 == 0
        page.press("m")  # of regions nothing is missed
        if item["kind"] != "region":
            missing[item["photo"]] = missing.get(item["photo"], 0) + 1
            assert page.ask(MISSED) == str(missing[item["photo"]])
        page.press("r" if place % 2 == 0 or item["kind"] == "empty" else "w")
    assert f"{len(sample['items'])} of {len(sample['items'])} judged, all" in page.ask(PROGRESS)
    [answers] = read_answers(labels, [saved(page)])[1]
    assert "saved" in page.ask(PROGRESS)
    assert answers.right == wanted
    assert answers.missed == missing
    # The browser remembers; it hands what one page stored to the next when it gets to it.
    for _ in range(30):
        page.open(path, ready=READY)
        if not page.ask(PROGRESS).startswith("0 "):
            break
        time.sleep(0.1)
    assert f"{len(sample['items'])} of {len(sample['items'])} judged" in page.ask(PROGRESS)
    assert read_answers(labels, [saved(page)]) == (sample, [answers])
    assert page.problems == []


@in_a_browser
def test_answers_are_taken_back_and_given_by_mouse(page, tmp_path):
    labels = write_labels(
        tmp_path / "labels",
        [[photo(f"{i}.jpg", [[5, 5, 50, 50]], [1], [0.9 + i / 100]) for i in range(3)]],
    )
    _, path = drawn(labels)
    page.open(path, ready=READY)
    first = page.ask(NAME)
    page.press("w", "m", "ArrowRight")
    page.press("u")  # the missed one
    assert page.ask(MISSED) == "0"
    page.press("u")  # the wrong one
    assert page.ask(NAME) == first
    assert page.ask(PROGRESS) == "0 of 3 judged"
    for name in ("missed", "right"):
        x, y = page.ask(
            "(({x, y, width, height}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector('[name={name}]').getBoundingClientRect())"
        )
        page.click(x, y)
    assert page.ask(PROGRESS) == "1 of 3 judged"
    [answers] = read_answers(labels, [saved(page)])[1]
    assert (answers.right, answers.missed) == ({0: True}, {first: 1})
    assert page.problems == []


@in_a_browser
def test_the_box_that_is_asked_about_is_drawn_where_it_is(page, tmp_path):
    labels = few(tmp_path / "labels")
    sample, path = drawn(labels)
    page.open(path, ready=READY)
    for item in sample["items"]:
        page.ask("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = page.ask(
            """[...document.querySelectorAll('#whole rect.asked:not(.halo)')].map((box) => {
                const photo = document.querySelector('#whole image').getBBox();
                const {x, y, width, height} = box.getBBox();
                return [y / photo.height, x / photo.width,
                    (y + height) / photo.height, (x + width) / photo.width];
            })"""
        )
        if item["kind"] == "empty":
            assert found == []
        else:
            np.testing.assert_allclose(found, [item["box"]], atol=1e-5)
        page.press("ArrowRight")
