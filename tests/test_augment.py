import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd import augment, resizing
from ssd.config import Config

CONFIG = Config(image_size=(64, 96))
PHOTO = (120, 160)


def marked_photo(box):
    """Black but for one white box given in pixels."""
    photo = np.full((*PHOTO, 3), 20, np.uint8)
    ymin, xmin, ymax, xmax = box
    photo[ymin:ymax, xmin:xmax] = 255
    return photo, np.float32([box]) / np.float32([*PHOTO, *PHOTO])


def bright_box(image):
    """The tightest box around what is bright, in pixels."""
    rows, columns = np.nonzero(image[..., 0] > 137)
    return np.array([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])


seeds = st.tuples(st.integers(0, 2**31), st.integers(0, 2**31))


@settings(max_examples=150, deadline=None)
@given(seed=seeds, top=st.integers(0, 90), left=st.integers(0, 130), size=st.integers(12, 60))
def test_boxes_stay_on_what_they_mark(seed, top, left, size):
    box = (top, left, min(top + size, PHOTO[0]), min(left + size, PHOTO[1]))
    photo, boxes = marked_photo(box)
    window = augment.choose_window(PHOTO, boxes, np.array([1]), CONFIG, seed=seed)
    image, moved, classes = augment.crop(photo, boxes, np.array([1]), window, CONFIG.image_size)
    image, moved = augment.flip(image, moved, seed=seed)
    assert image.shape == (64, 96, 3)
    assert image.dtype == tf.uint8
    assert len(moved) == len(classes) <= 1
    if len(moved):
        assert ((moved.numpy() >= 0) & (moved.numpy() <= 1)).all()
        pixels = moved.numpy()[0] * [64, 96, 64, 96]
        if (pixels[2:] - pixels[:2]).min() > 2:
            np.testing.assert_allclose(bright_box(image.numpy()), pixels, atol=1.0)


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_the_same_seed_makes_the_same_example(seed):
    photo, boxes = marked_photo((40, 50, 80, 90))
    one, other = (augment.augment(photo, boxes, np.array([1]), CONFIG, seed=seed) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_eager_and_inside_tf_data_agree():
    photo, boxes = marked_photo((40, 50, 80, 90))
    eager = augment.augment(photo, boxes, np.array([1]), CONFIG, seed=(5, 6))
    inside = (
        tf.data.Dataset.from_tensors((photo, boxes.astype(np.float32), np.array([1])))
        .map(lambda p, b, c: augment.augment(p, b, c, CONFIG, seed=(5, 6)))
        .get_single_element()
    )
    for a, b in zip(eager, inside, strict=True):
        np.testing.assert_allclose(a, b, atol=1)


def test_faces_are_shown_at_sizes_over_the_whole_range():
    """Whatever its size in the photo, a face is seen small and large about equally often."""
    config = Config(image_size=(256, 256))
    boxes = np.float32([[0.3, 0.3, 0.5, 0.5]])
    sizes = []
    for index in range(400):
        window = augment.choose_window(
            (800, 800), boxes, np.array([1]), config, seed=(index, 1)
        ).numpy()
        sizes.append(160 / (window[2] - window[0]) * 256)
    sizes = np.log2(sizes)
    assert sizes.min() < np.log2(30)
    assert sizes.max() > np.log2(200)
    shares, _ = np.histogram(sizes, bins=[np.log2(25.6), 6, 7, 8.01])
    assert shares.min() > 0.15 * len(sizes)


def test_a_face_cut_in_half_is_a_region_to_ignore_and_one_outside_is_gone():
    photo = np.zeros((*PHOTO, 3), np.uint8)
    boxes = np.float32([[0, 0, 0.5, 0.25], [0, 0.8, 0.5, 1.0], [0.25, 0.25, 0.5, 0.5]])
    window = tf.constant([0.0, 20.0, 64.0, 116.0])
    _, moved, classes = augment.crop(photo, boxes, np.array([1, 1, 1]), window, (64, 96))
    # 20 of the first face's 40 columns are left; the second lies right of the window.
    assert classes.numpy().tolist() == [-1, 1]
    np.testing.assert_allclose(moved[0] * [64, 96, 64, 96], [0, 0, 60, 20], atol=1e-4)
    np.testing.assert_allclose(moved[1] * [64, 96, 64, 96], [30, 20, 60, 60], atol=1e-4)


def test_flip_mirrors_half_of_the_time_and_boxes_with_it():
    image = np.zeros((4, 10, 3), np.uint8)
    image[1, 2] = 255
    boxes = tf.constant([[0.25, 0.2, 0.5, 0.3]])
    mirrored = 0
    for index in range(200):
        flipped, moved = augment.flip(image, boxes, seed=(index, 0))
        column = int(np.nonzero(flipped.numpy()[1, :, 0])[0][0])
        np.testing.assert_allclose(moved[0, 1] * 10, column, atol=1e-5)
        mirrored += column == 7
    assert 70 < mirrored < 130


def smooth_photo(height, width, slow):
    """Slow waves, so that a shift of some pixels shows and rounding one does not."""
    y, x = np.mgrid[:height, :width] / slow
    waves = [np.sin(y / 37) + np.cos(x / 23), np.sin(x / 31 + y / 53), np.cos(y / 41)]
    return (127 + 60 * np.stack(waves, axis=2)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("enlarge", [0.6, 1.0, 1.7, 2.5, 3.3, 5.0, 7.1, 10.0, 16.0])
def test_a_crop_of_the_file_is_a_crop_of_the_photo(enlarge):
    """Decoding only what shows, at a reduced size, gives the same pixels and the same boxes."""
    photo = smooth_photo(1203, 1605, max(enlarge, 3.0))
    encoded = tf.io.encode_jpeg(photo, quality=98, chroma_downsampling=False).numpy()
    boxes, classes = np.float32([[0.2, 0.2, 0.4, 0.5], [0.4, 0.5, 0.9, 0.8]]), np.array([1, 1])
    for top, left in [(100.0, 80.0), (333.4, 501.7), (-20.0, -30.0), (900.0, 1300.0)]:
        window = np.float32([top, left, top + 64 * enlarge, left + 96 * enlarge])
        image, moved, kept = augment.crop(encoded, boxes, classes, window, (64, 96))
        wanted = exact_crop(photo, window, (64, 96))
        # The photo's edge may fall into the next pixel.
        shown = wanted.any(axis=2) & image.numpy().any(axis=2)
        assert shown.sum() > 0.9 * wanted.any(axis=2).sum()
        # A step to the next pixel changes its value by up to 8.
        assert np.abs(image.numpy() - wanted)[shown].mean() < 3.5
        direct, direct_moved, direct_kept = augment.crop(photo, boxes, classes, window, (64, 96))
        assert kept.numpy().tolist() == direct_kept.numpy().tolist()
        # A pixel of the reduced photo is up to 8 of the photo, one of the result at most.
        np.testing.assert_allclose(moved, direct_moved, atol=0.012)
        shown &= direct.numpy().any(axis=2)
        assert np.abs(image.numpy().astype(float) - direct.numpy())[shown].mean() < 3.5


def exact_crop(photo, window, image_size):
    """The value under the middle of each pixel of the result, black beyond the photo."""
    rows, columns = image_size
    y = window[0] + (np.arange(rows) + 0.5) / rows * (window[2] - window[0]) - 0.5
    x = window[1] + (np.arange(columns) + 0.5) / columns * (window[3] - window[1]) - 0.5
    y, x = np.round(y).astype(int), np.round(x).astype(int)
    inside = ((y >= 0) & (y < len(photo)))[:, None] & ((x >= 0) & (x < photo.shape[1]))[None]
    found = photo[y.clip(0, len(photo) - 1)][:, x.clip(0, photo.shape[1] - 1)].astype(float)
    return found * inside[..., None]


def test_resize_is_what_serving_does():
    photo = skimage.data.astronaut()[:480, :480]
    for size in (700, 480, 400, 256, 33):
        ours = augment.resize(tf.constant(photo), (size, size)).numpy()
        assert np.abs(ours.astype(int) - resizing.resize(photo, size, size)).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (500, 2), (64, 96)])
def test_any_photo_makes_an_example(shape):
    photo = np.full((*shape, 3), 99, np.uint8)
    for boxes in (np.zeros((0, 4), np.float32), np.float32([[0, 0, 1, 1]])):
        classes = np.ones(len(boxes), np.int32)
        for index in range(10):
            stored = tf.io.encode_jpeg(photo) if index % 2 else photo
            image, moved, kept = augment.augment(stored, boxes, classes, CONFIG, seed=(index, 9))
            assert image.shape == (64, 96, 3)
            assert len(moved) == len(kept)
            assert np.isfinite(moved.numpy()).all()
