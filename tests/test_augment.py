import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.config import Config
from ssd.data import augment
from ssd.photos import resizing

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


def example(photo, boxes, classes, config, seed):
    """A training example of one photo, as an array or a JPEG file."""
    view, boxes, classes = augment.plan_examples(size_of(photo), boxes, classes, config, seed=seed)
    kept = classes != 0
    return augment.make_image(photo, view, config.image_size), boxes[kept], classes[kept]


def crop(photo, boxes, classes, window, image_size, mirrored=False):
    """What a window shows of one photo, as an array or a JPEG file."""
    view = augment.window_to_view(size_of(photo), window, image_size, mirrored=mirrored)
    boxes, classes = augment.move_boxes(boxes, classes, size_of(photo), view, image_size)
    kept = classes != 0
    return augment.make_image(photo, view, image_size), boxes[kept], classes[kept]


def size_of(photo):
    photo = tf.convert_to_tensor(photo)
    return (tf.io.extract_jpeg_shape(photo) if photo.dtype == tf.string else tf.shape(photo))[:2]


def choose_window(size, boxes, classes, config, seed, served=False):
    draw = tf.random.stateless_uniform([4], seed)
    draw = tf.concat([[0.0 if served else 0.999], draw], axis=0)
    return augment.choose_windows(tf.constant(size), boxes, classes, config, draw=draw)


seeds = st.tuples(st.integers(0, 2**31), st.integers(0, 2**31))


@settings(max_examples=150)
@given(seed=seeds, top=st.integers(0, 90), left=st.integers(0, 130), size=st.integers(12, 60))
def test_boxes_stay_on_what_they_mark(seed, top, left, size):
    box = (top, left, min(top + size, PHOTO[0]), min(left + size, PHOTO[1]))
    photo, boxes = marked_photo(box)
    image, moved, classes = example(photo, boxes, np.array([1]), CONFIG, seed)
    assert image.shape == (64, 96, 3)
    assert image.dtype == tf.uint8
    assert len(moved) == len(classes) <= 1
    if len(moved):
        assert ((moved.numpy() >= 0) & (moved.numpy() <= 1)).all()
        pixels = moved.numpy()[0] * [64, 96, 64, 96]
        if (pixels[2:] - pixels[:2]).min() > 2:
            np.testing.assert_allclose(bright_box(image.numpy()), pixels, atol=1.0)


@settings(max_examples=60)
@given(seed=seeds)
def test_the_same_seed_makes_the_same_example(seed):
    photo, boxes = marked_photo((40, 50, 80, 90))
    one, other = (example(photo, boxes, np.array([1]), CONFIG, seed) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_eager_and_inside_tf_data_agree():
    photo, boxes = marked_photo((40, 50, 80, 90))
    eager = example(photo, boxes, np.array([1]), CONFIG, (5, 6))
    inside = (
        tf.data.Dataset.from_tensors((photo, boxes.astype(np.float32), np.array([1])))
        .map(lambda p, b, c: example(p, b, c, CONFIG, (5, 6)))
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
        window = choose_window((800, 800), boxes, np.array([1]), config, (index, 1)).numpy()
        sizes.append(160 / (window[2] - window[0]) * 256)
    sizes = np.log2(sizes)
    assert sizes.min() < np.log2(30)
    assert sizes.max() > np.log2(200)
    shares, _ = np.histogram(sizes, bins=[np.log2(25.6), 6, 7, 8.01])
    assert shares.min() > 0.15 * len(sizes)


def test_as_served_shows_half_the_photo_to_a_little_more_than_all_of_it():
    boxes, config = np.float32([[0.1, 0.1, 0.2, 0.2]]), Config(image_size=(256, 256))
    for classes in np.array([[1], [0], [-1]]):
        shares = []
        for index in range(100):
            window = choose_window((600, 800), boxes, classes, config, (index, 2), served=True)
            shares.append(float(window[3] - window[1]) / 800)
        assert 0.5 <= min(shares) < 0.6
        assert 1.1 < max(shares) <= 1.25
        # A photo without a face is always shown so.
        if classes[0] != 1:
            again = choose_window((600, 800), boxes, classes, config, (99, 2)).numpy()
            np.testing.assert_array_equal(again, window)


def test_a_face_cut_in_half_is_a_region_to_ignore_and_one_outside_is_gone():
    photo = np.zeros((*PHOTO, 3), np.uint8)
    boxes = np.float32([[0, 0, 0.5, 0.25], [0, 0.8, 0.5, 1.0], [0.25, 0.25, 0.5, 0.5]])
    window = tf.constant([0.0, 20.0, 64.0, 116.0])
    _, moved, classes = crop(photo, boxes, np.array([1, 1, 1]), window, (64, 96))
    # 20 of the first face's 40 columns are left; the second lies right of the window.
    assert classes.numpy().tolist() == [-1, 1]
    np.testing.assert_allclose(moved[0] * [64, 96, 64, 96], [0, 0, 60, 20], atol=1e-4)
    np.testing.assert_allclose(moved[1] * [64, 96, 64, 96], [30, 20, 60, 60], atol=1e-4)


def test_every_other_example_is_mirrored_and_boxes_with_it():
    sizes, boxes = tf.tile([PHOTO], [200, 1]), tf.tile([[[0.25, 0.2, 0.5, 0.3]]], [200, 1, 1])
    view, _, _ = augment.plan_examples(
        sizes, boxes, tf.ones([200, 1], tf.int32), CONFIG, seed=(1, 2)
    )
    assert 70 < view.mirrored.numpy().sum() < 130

    photo, boxes = marked_photo((40, 50, 80, 60))
    window = tf.constant([20.0, 40.0, 84.0, 136.0])
    for mirrored, left in ((False, 10), (True, 76)):
        image, moved, _ = crop(photo, boxes, np.array([1]), window, (64, 96), mirrored)
        np.testing.assert_array_equal(bright_box(image.numpy()), [20, left, 60, left + 10])
        np.testing.assert_allclose(moved[0] * [64, 96, 64, 96], [20, left, 60, left + 10], 1e-5)


def test_some_examples_are_compressed():
    sizes, boxes = tf.tile([PHOTO], [400, 1]), tf.tile([[[0.25, 0.2, 0.5, 0.3]]], [400, 1, 1])
    view, _, _ = augment.plan_examples(
        sizes, boxes, tf.ones([400, 1], tf.int32), CONFIG, seed=(1, 2)
    )
    quality = view.quality.numpy()
    assert 30 < np.count_nonzero(quality) < 90
    assert quality[quality > 0].min() >= 15
    assert quality.max() <= 75

    photo, boxes = marked_photo((40, 50, 80, 60))
    view = augment.window_to_view(PHOTO, tf.constant([20.0, 40.0, 84.0, 136.0]), (64, 96))
    clean = augment.make_image(photo, view, (64, 96)).numpy()
    damaged = augment.make_image(photo, view._replace(quality=tf.constant(15)), (64, 96)).numpy()
    assert 0.1 < np.abs(clean.astype(float) - damaged).mean() < 20


def test_many_at_once_are_each_by_itself():
    """Rows that only fill up, photos of other sizes and photos without a face change nothing."""
    random = np.random.default_rng(0)
    sizes = np.int32([[480, 640], [97, 61], [1200, 900], [300, 300]])
    counts = (3, 1, 0, 2)
    low = random.uniform(0, 0.6, (4, 3, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + random.uniform(0.05, 0.4, (4, 3, 2))], axis=2)
    boxes, classes = boxes.astype(np.float32), random.choice([-1, 1, 2], (4, 3))
    for index, count in enumerate(counts):
        boxes[index, count:], classes[index, count:] = 0, 0
    draw = random.uniform(0, 1, (4, 5)).astype(np.float32)
    mirrored = np.array([True, False, False, True])

    windows = augment.choose_windows(sizes, boxes, classes, CONFIG, draw=draw)
    shown = augment.window_to_view(sizes, windows, CONFIG.image_size, mirrored=mirrored)
    moved, kept = augment.move_boxes(boxes, classes, sizes, shown, CONFIG.image_size)
    for index, count in enumerate(counts):
        mine = boxes[index, :count], classes[index, :count]
        window = augment.choose_windows(sizes[index], *mine, CONFIG, draw=draw[index])
        np.testing.assert_allclose(window, windows[index], rtol=1e-5, atol=1e-3)
        view = augment.window_to_view(
            sizes[index], window, CONFIG.image_size, mirrored=mirrored[index]
        )
        for field, one in zip(view, shown, strict=True):
            np.testing.assert_array_equal(field, one[index])
        one_moved, one_kept = augment.move_boxes(*mine, sizes[index], view, CONFIG.image_size)
        np.testing.assert_allclose(moved[index, :count], one_moved, atol=1e-5)
        assert kept[index].numpy().tolist() == [*one_kept.numpy(), *[0] * (3 - count)]


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
        image, moved, kept = crop(encoded, boxes, classes, window, (64, 96))
        wanted = exact_crop(photo, window, (64, 96))
        # The photo's edge may fall into the next pixel.
        shown = wanted.any(axis=2) & image.numpy().any(axis=2)
        assert shown.sum() > 0.9 * wanted.any(axis=2).sum()
        # A step to the next pixel changes its value by up to 8.
        assert np.abs(image.numpy() - wanted)[shown].mean() < 3.5
        direct, direct_moved, direct_kept = crop(photo, boxes, classes, window, (64, 96))
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


def test_scaling_is_what_serving_does():
    photo = skimage.data.astronaut()[:479, :480]
    for size in (700, 480, 400, 256, 239, 119, 33, 7):
        ours = augment.scale_part(*whole_part(photo, (size, size))).numpy()
        assert np.abs(ours.astype(int) - resizing.resize(photo, size, size)).max() <= 1


def whole_part(photo, size):
    """The arguments of `scale_part` for a photo as it is."""
    view = augment.photo_to_view(size_of(photo), size)
    return *augment.decode_part(photo, view), view


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_the_decoder_halves_is_the_mean_of_two_by_two(times):
    """Nearly: a JPEG decoder's reduced transform is sharper, by less than serving allows."""
    for photo in (skimage.data.astronaut(), skimage.data.coffee()[:400], skimage.data.chelsea()):
        encoded = tf.io.encode_jpeg(photo, quality=92)
        whole = tf.io.decode_jpeg(encoded, dct_method="INTEGER_ACCURATE")
        view = augment.photo_to_view(tf.shape(whole)[:2], tf.shape(whole)[:2] // 2**times)
        halved, left = (each.numpy() for each in augment.decode_part(encoded, view))
        assert (view.halved, left) == (times, 0)
        rows, columns = (-(-side // 2**times) for side in whole.shape[:2])
        padding = (rows * 2**times - whole.shape[0], columns * 2**times - whole.shape[1])
        padded = np.pad(whole, [*((0, each) for each in padding), (0, 0)], mode="edge")
        means = resizing.resize(padded, rows, columns)
        assert halved.shape == means.shape
        assert np.abs(halved.astype(float) - means).mean() < 1


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (500, 2), (64, 96)])
def test_any_photo_makes_an_example(shape):
    photo = np.full((*shape, 3), 99, np.uint8)
    for boxes in (np.zeros((0, 4), np.float32), np.float32([[0, 0, 1, 1]])):
        classes = np.ones(len(boxes), np.int32)
        for index in range(10):
            stored = tf.io.encode_jpeg(photo) if index % 2 else photo
            image, moved, kept = example(stored, boxes, classes, CONFIG, (index, 9))
            assert image.shape == (64, 96, 3)
            assert len(moved) == len(kept)
            assert np.isfinite(moved.numpy()).all()
