"""Which files are photos, and which cannot be opened at all."""

import errno
import os

import pytest
from PIL import Image

from distill.photo_files import find_photos


def touch(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_suffix_or_first_bytes_make_a_photo(tmp_path):
    for name in ("b.JPG", "a.heic", "sub/c.tif", ".hidden.jpg", ".cache/d.jpg", "notes.txt"):
        touch(tmp_path / name)
    Image.new("RGB", (4, 4)).save(tmp_path / "bare", "PNG")
    Image.new("RGB", (4, 4)).save(tmp_path / "bare webp", "WEBP")
    found = find_photos(tmp_path)
    assert found.names == ["a.heic", "b.JPG", "bare", "bare webp", "sub/c.tif"]
    assert found.other_files == 2  # the hidden file and the text; hidden folders are passed over
    assert not found.refused
    assert not found.closed_folders


def test_what_would_never_end_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")  # its first bytes are not waited for
    os.symlink("/dev/zero", tmp_path / "zero.jpg")
    os.symlink("nowhere.jpg", tmp_path / "link.jpg")
    os.symlink("loop.jpg", tmp_path / "loop.jpg")
    found = find_photos(tmp_path)
    assert found.names == []
    assert found.other_files == 1
    assert found.refused == {
        "link.jpg": "No such file or directory",
        "loop.jpg": "Too many levels of symbolic links",
        "pipe.jpg": "not a regular file",
        "zero.jpg": "not a regular file",
    }


def test_links_are_followed_and_no_folder_is_visited_twice(tmp_path):
    touch(tmp_path / "photos" / "sub" / "a.jpg")
    touch(tmp_path / "elsewhere" / "b.jpg")
    os.symlink("..", tmp_path / "photos" / "sub" / "loop")
    os.symlink(tmp_path / "elsewhere", tmp_path / "photos" / "more")
    assert find_photos(tmp_path / "photos").names == ["more/b.jpg", "sub/a.jpg"]


def test_a_folder_left_out_is_left_out_by_whatever_name(tmp_path):
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "labels" / "b.jpg")
    os.symlink("labels", tmp_path / "alias")
    assert find_photos(tmp_path, leave_out=tmp_path / "labels").names == ["a.jpg"]
    assert find_photos(tmp_path, leave_out=tmp_path / "new").names[0] == "a.jpg"


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE])
def test_a_folder_that_fails_stops_and_one_that_is_closed_is_named(tmp_path, monkeypatch, code):
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "sub" / "b.jpg")
    listdir = os.listdir

    def failing(error):
        def failing_listdir(path):
            if str(path).endswith("sub"):
                raise error
            return listdir(path)

        monkeypatch.setattr(os, "listdir", failing_listdir)

    failing(PermissionError(errno.EACCES, "Permission denied"))
    found = find_photos(tmp_path)
    assert (found.names, found.closed_folders) == (["a.jpg"], {"sub": "Permission denied"})
    with pytest.raises(PermissionError):
        find_photos(tmp_path / "sub")
    failing(OSError(code, os.strerror(code)))
    with pytest.raises(OSError, match=os.strerror(code)):
        find_photos(tmp_path)
