"""Photo files as they come: of any depth, damaged, hostile, or not to be had just now."""

import errno
import io
import os

import numpy as np
import pytest
from PIL import Image
from test_metadata import segment

from ssd.data.jpeg import is_decodable
from ssd.photos import reading

GRAY = np.linspace(20, 255, 60 * 80).reshape(60, 80).round().astype(np.uint16)


def noise(height=60, width=80):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def jpeg(**options):
    file = io.BytesIO()
    Image.fromarray(noise()).save(file, "JPEG", **options)
    return file.getvalue()


def read(path, content=None, **options):
    if content is not None:
        path.write_bytes(content)
    return reading.read_and_encode(path, may_keep=is_decodable, **options)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sixteen.png", GRAY * 257),
        ("twelve.tif", GRAY << 4),
        ("ten.png", GRAY << 2),
        ("eight in sixteen.png", GRAY),
        ("float255.tif", GRAY.astype(np.float32)),
        ("shares.tif", (GRAY / 255).astype(np.float32)),
        ("float65535.tif", GRAY.astype(np.float32) * 257),
        ("int32.tif", GRAY.astype(np.int32)),
        ("int32 of 14 bits.tif", GRAY.astype(np.int32) << 6),
    ],
)
def test_gray_of_any_depth_is_scaled_by_what_the_file_holds(tmp_path, name, values):
    Image.fromarray(values).save(tmp_path / name)
    assert np.abs(reading.read_photo(tmp_path / name)[..., 0] - GRAY.astype(float)).max() <= 1
    assert np.abs(read(tmp_path / name).pixels.mean() - GRAY.mean()) < 1


def test_a_black_photo_is_black_at_any_depth(tmp_path):
    for dtype in (np.uint8, np.uint16, np.int32, np.float32):
        Image.fromarray(np.zeros((20, 30), dtype)).save(tmp_path / "a.tif")
        assert reading.read_photo(tmp_path / "a.tif").max() == 0


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (GRAY.astype(np.int32) << 12, "more than 16 bits hold"),
        (GRAY.astype(np.int32) - 100, "negative or no numbers"),
        (np.where(GRAY > 200, np.nan, GRAY).astype(np.float32), "negative or no numbers"),
        (np.where(GRAY > 200, np.inf, GRAY).astype(np.float32), "negative or no numbers"),
    ],
)
def test_gray_that_is_no_photo_is_refused(tmp_path, values, reason):
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=reason):
        reading.read_photo(tmp_path / "a.tif")


def png_of_sixteen_bits(values):
    """A color PNG with 16 bits a channel, which Pillow reads but does not write."""
    import struct
    import zlib

    def chunk(name, content):
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_color_of_sixteen_bits_is_not_turned_black(tmp_path):
    values = noise().astype(np.uint16)
    photo = read(tmp_path / "16.png", png_of_sixteen_bits(values * 257))
    assert np.abs(photo.pixels.astype(int) - values).max() <= 1
    with pytest.raises(ValueError, match="filled so little"):
        read(tmp_path / "12.png", png_of_sixteen_bits(values * 16))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    ("damage", "repaired"),
    [
        (lambda file: file, False),
        (lambda file: file + b"behind the end", False),
        (lambda file: file[:-2], True),  # no end marker
        (lambda file: file[:-2] + bytes(300), True),  # a tail of zeros
        (lambda file: file[:-2] + b"\x7f\xd9", True),  # an end marker with a flipped bit
    ],
)
def test_a_jpeg_whose_pixels_are_all_there_is_taken(tmp_path, damage, repaired, progressive):
    file = jpeg(progressive=progressive)
    photo = read(tmp_path / "a.jpg", damage(file))
    assert photo.repaired == repaired
    assert is_decodable(photo.encoded)
    whole = np.asarray(Image.open(io.BytesIO(file)))
    np.testing.assert_array_equal(photo.pixels, whole)
    np.testing.assert_array_equal(reading.read_photo(tmp_path / "a.jpg"), whole)
    if not repaired:
        assert photo.encoded == file


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_short_is_refused(tmp_path, progressive):
    file = jpeg(progressive=progressive)
    for share in (0.3, 0.5, 0.9, 0.99):
        with pytest.raises(ValueError, match="damaged"):
            read(tmp_path / "a.jpg", file[: int(len(file) * share)])


def test_a_jpeg_that_others_cannot_decode_is_encoded_anew(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    photo = reading.read_and_encode(tmp_path / "a.jpg", may_keep=lambda encoded: False, shrink=2)
    assert photo.repaired
    assert photo.encoded != jpeg()
    assert photo.size == (60, 80)
    assert photo.pixels.shape == (30, 40, 3)
    small = reading.read_and_encode(tmp_path / "a.jpg", may_keep=lambda encoded: False, max_side=40)
    assert not small.repaired  # it would not have kept its bytes anyway


@pytest.mark.slow
def test_of_damaged_jpegs_none_is_taken_that_training_cannot_decode(tmp_path):
    random, taken = np.random.default_rng(1), 0
    for turn in range(300):
        file = bytearray(jpeg(progressive=bool(turn % 2), quality=75))
        for _ in range(random.integers(1, 5)):
            file[random.integers(2, len(file))] = random.integers(256)
        if turn % 3 == 0:
            file = file[: random.integers(len(file) // 2, len(file))]
        try:
            photo = read(tmp_path / "a.jpg", bytes(file))
        except ValueError:
            continue
        taken += 1
        assert is_decodable(photo.encoded)
    print(f"{taken} of 300 taken")
    assert 100 < taken < 300


PERSONAL = b"51.5 N 0.1 W"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif"])
@pytest.mark.parametrize("how", ["as it is", "scaled"])
def test_nothing_personal_travels(tmp_path, suffix, how):
    image = Image.fromarray(noise())
    exif = Image.Exif()
    exif[0x010E] = PERSONAL.decode()  # a description; GPS lies in the same place
    options = {"exif": exif, "comment": PERSONAL, "xmp": PERSONAL, "icc_profile": PERSONAL}
    if suffix == "gif":
        options = {"comment": PERSONAL}
    image.save(tmp_path / f"a.{suffix}", **options)
    if suffix == "jpg":
        file = (tmp_path / "a.jpg").read_bytes()
        (tmp_path / "a.jpg").write_bytes(file[:2] + segment(0xE1, b"Exif\0\0" + file) + file[2:])
    assert PERSONAL in (tmp_path / f"a.{suffix}").read_bytes()
    photo = read(tmp_path / f"a.{suffix}", max_side=40 if how == "scaled" else None)
    assert PERSONAL not in photo.encoded
    assert not Image.open(io.BytesIO(photo.encoded)).getexif()


def test_a_photo_with_more_photos_behind_it_is_its_first(tmp_path):
    """MPO files, as phones and stereo cameras write them."""
    first, second = Image.fromarray(noise()), Image.fromarray(noise()[::-1].copy())
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    photo = read(tmp_path / "a.jpg")
    assert not photo.repaired
    assert len(photo.encoded) < (tmp_path / "a.jpg").stat().st_size * 0.6
    np.testing.assert_array_equal(photo.pixels, np.asarray(Image.open(tmp_path / "a.jpg")))


def test_formats_that_start_programs_are_not_opened(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: started.append(a))
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: started.append(a))
    Image.fromarray(noise()).save(tmp_path / "a.eps")
    file = (tmp_path / "a.eps").read_bytes()
    with pytest.raises(ValueError, match="no photo that can be read"):
        read(tmp_path / "a.jpg", file)
    with pytest.raises(ValueError, match=r"a\.eps: wanted a photo"):
        reading.read_photo(tmp_path / "a.eps")
    assert started == []
    assert "EPS" in Image.OPEN  # Pillow itself would have


def test_files_that_never_end_are_refused(tmp_path):
    with open(tmp_path / "huge.jpg", "wb") as file:
        file.write(jpeg())
        file.truncate(200 * 10**9)
    os.mkfifo(tmp_path / "pipe.jpg")
    os.symlink("/dev/zero", tmp_path / "zero.jpg")
    os.symlink("loop.jpg", tmp_path / "loop.jpg")
    (tmp_path / "folder.jpg").mkdir()
    wanted = {
        "huge": "200,000,000,000 bytes, too many for a photo of up to 100,000,000 pixels",
        "pipe": "not a regular file",
        "zero": "not a regular file",
        "loop": "symbolic links",
        "folder": "not a regular file",
    }
    for name, reason in wanted.items():
        with pytest.raises(ValueError, match=reason):
            read(tmp_path / f"{name}.jpg")
    with pytest.raises(ValueError, match=r"name too long"):
        read(tmp_path / ("a" * 300))


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENOENT])
def test_what_is_wrong_with_the_disk_is_not_the_photos_fault(tmp_path, monkeypatch, code):
    (tmp_path / "a.jpg").write_bytes(jpeg())

    def broken(*arguments, **options):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("builtins.open", broken)
    with pytest.raises(OSError, match=os.strerror(code)):
        reading.read_and_encode(tmp_path / "a.jpg")
    with pytest.raises(OSError, match=r"a\.jpg: wanted a photo \("):
        reading.read_photo(tmp_path / "a.jpg")


def test_too_little_memory_is_not_the_photos_fault(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(jpeg())

    def short(*arguments):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", short)
    with pytest.raises(MemoryError):
        reading.read_and_encode(tmp_path / "a.jpg")


def test_a_photo_one_pixel_wide_is_read_at_any_scale(tmp_path):
    Image.new("RGB", (1, 300), "white").save(tmp_path / "a.jpg")
    for shrink in (1, 2, 4, 8):
        photo = reading.read_and_encode(tmp_path / "a.jpg", shrink=shrink)
        assert photo.size == (300, 1)
        assert photo.pixels.shape[1] == 1
