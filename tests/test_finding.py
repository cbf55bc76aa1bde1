"""Names that annotations have for photos: found where one file can be meant, and only there."""

import os
import unicodedata

import pytest

from ssd.photos.finding import AmbiguousName, PhotoFinder, files, same_name


@pytest.fixture
def folder(tmp_path):
    for name in ("a.jpg", "B.JPG", "m n.jpg", "sub/c.jpg", "train/1.jpg", "val/1.jpg", "100%.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "photos" / unicodedata.normalize("NFD", "Müller.jpg")).touch()
    (tmp_path / "photos" / ".thumbs").mkdir()
    (tmp_path / "photos" / ".thumbs" / "a.jpg").touch()
    (tmp_path / "secret.jpg").touch()
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("images\\a.jpg", "a.jpg"),
        ("C:\\pics\\a.jpg", "a.jpg"),
        ("on/another/machine/a.jpg", "a.jpg"),
        ("a", "a.jpg"),
        ("a.png", "a.jpg"),
        ("b.jpg", "B.JPG"),
        ("IMAGES/A.JPEG", "a.jpg"),
        ("/data/upload/1/m%20n.jpg", "m n.jpg"),
        ("100%.jpg", "100%.jpg"),
        ("100%25.jpg", "100%.jpg"),
        ("c.jpg", "sub/c.jpg"),
        ("old/sub/c.jpg", "sub/c.jpg"),
        ("Train\\1.JPG", "train/1.jpg"),
        ("x/../a.jpg", "a.jpg"),
        ("/data/local-files/?d=sub/c.jpg", "sub/c.jpg"),
        ("images/1234abcd-a.jpg", "a.jpg"),
        ("\N{FULLWIDTH DIGIT ONE}.jpg", None),
        ("test/1.jpg", None),  # not the 1.jpg of train or of val
        ("sub2/c.jpg", None),
        ("../secret.jpg", None),
        ("sub/../../secret.jpg", None),
        ("a.jpg\0", None),
        ("a" * 300 + ".jpg", None),
        ("a.txt", None),
        ("", None),
        ("..", None),
        ("/", None),
    ],
)
def test_a_name_finds_the_file_that_it_can_only_mean(folder, name, path):
    if path is None:
        with pytest.raises(FileNotFoundError):
            PhotoFinder(folder).find(name)
    else:
        assert PhotoFinder(folder).find(name) == path


def test_letters_of_two_characters_and_absolute_names(folder):
    composed, apart = (unicodedata.normalize(form, "Müller.jpg") for form in ("NFC", "NFD"))
    for name in (composed, apart, "MÜLLER.png", str(folder / composed)):
        assert PhotoFinder(folder).find(name) == apart
    assert PhotoFinder(folder).find(str(folder / "sub" / "c.jpg")) == "sub/c.jpg"
    with pytest.raises(FileNotFoundError):
        PhotoFinder(folder).find(str(folder / ".." / "secret.jpg"))


def test_a_name_that_two_files_could_have_is_refused(folder):
    with pytest.raises(AmbiguousName, match=r"could be train/1\.jpg or val/1\.jpg"):
        PhotoFinder(folder).find("1.jpg")
    (folder / "a.png").touch()
    with pytest.raises(AmbiguousName):
        PhotoFinder(folder).find("a")
    assert PhotoFinder(folder).find("a.png") == "a.png"
    # Another way to read the name may decide.
    assert PhotoFinder(folder).find("nowhere/1.jpg", "val\\1.jpg") == "val/1.jpg"


def test_names_with_backslashes_and_bytes_that_are_no_text(folder):
    for name in ("with\\backslash.jpg", os.fsdecode(b"caf\xe9.jpg")):
        (folder / name).touch()
        assert PhotoFinder(folder).find(name) == name


def test_links_are_followed_and_a_loop_ends(folder, tmp_path):
    (folder / "link").symlink_to(folder)
    (folder / "elsewhere.jpg").symlink_to(tmp_path / "secret.jpg")
    found = list(files(folder))
    assert len(found) == len(set(found)) == 9
    assert PhotoFinder(folder).find("X/Elsewhere.jpg") == "elsewhere.jpg"


def test_same_name():
    assert same_name("images\\A.jpg") == same_name("./images/a.JPG")
    assert same_name("a/1.jpg") != same_name("b/1.jpg")


def test_a_closed_folder_is_passed_over_and_a_failing_one_is_not(folder, monkeypatch):
    scandir, error = os.scandir, PermissionError(13, "Permission denied")

    def failing(path):
        if str(path).endswith("sub"):
            raise error
        return scandir(path)

    monkeypatch.setattr(os, "scandir", failing)
    assert PhotoFinder(folder).find("A.png") == "a.jpg"
    error = OSError(5, "Input/output error")
    with pytest.raises(OSError, match="Input/output error"):
        PhotoFinder(folder).find("A.png")
