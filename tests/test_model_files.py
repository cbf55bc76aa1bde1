"""Archives that say what is not so cost no memory; `tests/test_fuzz_models.py` tries many."""

import io
import tracemalloc
import zipfile

import pytest

from ssd import model_files

METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2]


def archive_of(content, method=zipfile.ZIP_DEFLATED, **lies):
    """An archive of one member, of which the directory says something else."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", content, method)
        for field, value in lies.items():
            setattr(archive.filelist[0], field, value)
    return file


def read(file, limit=model_files.MAX_BYTES):
    with model_files.open_archive(file) as archive:
        return model_files.read_member(archive, "a", limit=limit)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("content", [b"", b"abc" * 1000])
def test_a_member_is_what_was_put_in(method, content):
    assert read(archive_of(content, method)) == content
    before = io.BytesIO(b"a model" + archive_of(content, method).getvalue())
    assert read(before) == content


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "lies", [{"file_size": 10}, {"file_size": 5000}, {"compress_size": 9}, {"CRC": 1}]
)
def test_a_member_that_is_not_what_it_says_is_damaged(method, lies):
    with pytest.raises(ValueError, match="damaged"):
        read(archive_of(b"abc" * 1000, method, **lies))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("lies", [{}, {"file_size": 1000}, {"compress_size": 2**31}])
def test_a_member_that_unpacks_without_end_is_not_unpacked(method, lies):
    file = archive_of(bytes(20_000_000), method, **lies)
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"wanted at most|damaged"):
        read(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_other_archives_are_refused():
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(ValueError, match="no a in its ZIP archive"):
        read(empty)
    with pytest.raises(ValueError, match="by a method that no model is packed by"):
        read(archive_of(b"abc", zipfile.ZIP_LZMA))
    with pytest.raises(ValueError, match="without a password"):
        read(archive_of(b"abc", flag_bits=1))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for index in range(10_000):
            archive.writestr(f"{index}", b"")
    with pytest.raises(ValueError, match="of more members than a model has"):
        read(file)


def test_json_is_an_object_of_numbers():
    for content, wrong in (
        (b"[" * 10**5, "wanted JSON"),
        (b"\xff", "wanted JSON"),
        (b"[]", "wanted a JSON object, got a list"),
        (b'{"a": Infinity}', "Infinity is no number"),
    ):
        file = archive_of(content)
        with pytest.raises(ValueError, match=wrong), model_files.open_archive(file) as archive:
            model_files.read_json(archive, "a")
