"""What a JPEG file says about its owner goes; its pixels stay."""

import io

import numpy as np
import pytest
from PIL import Image

from ssd.photos.metadata import strip_metadata


def jpeg(mode="RGB", **options):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def pixels(encoded):
    return np.asarray(Image.open(io.BytesIO(encoded)))


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


KINDS = {
    "plain": {},
    "progressive": {"progressive": True},
    "gray": {"mode": "L"},
    "cmyk": {"mode": "CMYK"},  # its Adobe marker says that the colors are inverted
    "restarts": {"restart_marker_blocks": 1},
    "rgb": {"keep_rgb": True},  # the Adobe marker says that the colors are no YCbCr
}


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_stay_the_same(kind):
    plain = jpeg(**KINDS[kind])
    spoken = (
        plain[:2]
        + segment(0xE1, b"Exif\0\0GPS secret" + plain)  # with a thumbnail, as phones write it
        + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0 secret")
        + segment(0xE2, b"ICC_PROFILE\0\1\1 secret")
        + segment(0xED, b"Photoshop 3.0\0 secret")
        + segment(0xFE, b"secret")
        + plain[2:]
        + b"secret film"
    )
    stripped = strip_metadata(spoken)
    assert b"secret" not in stripped
    assert len(stripped) <= len(plain)
    np.testing.assert_array_equal(pixels(stripped), pixels(plain))
    assert Image.open(io.BytesIO(stripped)).mode == Image.open(io.BytesIO(plain)).mode
    assert strip_metadata(stripped) == stripped


def test_the_thumbnails_of_jfif_go_too():
    plain = jpeg()
    assert plain[2:4] == b"\xff\xe0"
    first = int.from_bytes(plain[4:6], "big") + 4
    jfif = segment(0xE0, plain[6 : first - 2] + b"\1\1secret")
    more = segment(0xE0, b"JFXX\0\x10secret")
    assert strip_metadata(plain[:2] + jfif + more + plain[first:]) == plain


def test_what_does_not_hold_together_is_none():
    plain = jpeg()
    assert strip_metadata(plain) == plain
    assert strip_metadata(b"") is None
    assert strip_metadata(b"\x89PNG\r\n") is None
    assert strip_metadata(plain[:-2]) is None
    assert strip_metadata(plain[:-1] + b"\xd8") is None
    for length in range(2, len(plain) - 2, 7):
        assert strip_metadata(plain[:length]) is None
