import numpy as np
import pytest
from PIL import Image

from ssd.config import Config
from ssd.photos.letterbox import check_photo, letterbox
from ssd.photos.reading import read_photo, write_photo


@pytest.fixture
def photo():
    random = np.random.default_rng(0)
    return random.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_write_and_read(photo, tmp_path):
    write_photo(tmp_path / "a.png", photo)
    assert (read_photo(tmp_path / "a.png") == photo).all()


def test_reads_upright(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    Image.fromarray(photo).save(tmp_path / "a.png", exif=exif)
    assert (read_photo(tmp_path / "a.png") == np.rot90(photo, -1)).all()


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA"])
def test_reads_any_mode_as_rgb(photo, tmp_path, mode):
    Image.fromarray(photo).convert(mode).save(tmp_path / "a.png")
    read = read_photo(tmp_path / "a.png")
    assert read.shape == (20, 30, 3)
    assert read.dtype == np.uint8


def test_reads_cmyk_and_animations(photo, tmp_path):
    image = Image.fromarray(photo)
    image.convert("CMYK").save(tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg").shape == (20, 30, 3)
    image.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (30, 20))])
    assert read_photo(tmp_path / "a.gif").any()


def test_sixteen_bits_become_eight(tmp_path):
    gray = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
    Image.fromarray(gray).save(tmp_path / "a.png")
    assert np.abs(read_photo(tmp_path / "a.png")[..., 0] - gray / 257).max() <= 0.5


def test_what_is_no_photo(photo, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.jpg: wanted a photo \(No such file"):
        read_photo(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(ValueError, match=r"a\.jpg: wanted a photo \(no photo that can be read\)"):
        read_photo(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match=r"a\.jpg: wanted a photo"):
        read_photo(tmp_path / "a.jpg")
    Image.fromarray(photo).resize((300, 300)).save(tmp_path / "a.jpg")
    half = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(half[: len(half) // 2])
    with pytest.raises(ValueError, match=r"a\.jpg: wanted a photo \(damaged: image file"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
        np.zeros((0, 8, 3), np.uint8),
        None,
        "photo.jpg",
    ],
)
def test_check_photo_says_what_came(wrong):
    with pytest.raises(ValueError, match=r"wanted uint8 \[height, width, 3\] in RGB, got "):
        check_photo(wrong)


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (64, 64), (1, 500), (500, 1), (30, 31)])
def test_letterbox_keeps_the_aspect(shape):
    config = Config(image_size=(64, 96))
    image = letterbox(np.full((*shape, 3), 200, np.uint8), config)
    height, width = config.fit(*shape)
    assert image.shape == (64, 96, 3)
    assert image.dtype == np.uint8
    assert (image[:height, :width] == 200).all()
    assert not image[height:].any()
    assert not image[:, width:].any()
    assert height == 64 or width == 96


def test_letterbox_takes_any_memory_layout(photo):
    config = Config(image_size=(64, 96))
    turned = photo.transpose(1, 0, 2)[::-1]
    assert not turned.flags.c_contiguous
    assert (letterbox(turned, config) == letterbox(turned.copy(), config)).all()


def test_letterbox_does_not_alias():
    # Lines one pixel wide become gray, not lines of another width.
    stripes = np.zeros((640, 960, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = letterbox(stripes, Config(image_size=(64, 96)))[:, 1:-1].astype(int)
    assert abs(inner - 127).max() <= 3
