import dataclasses
import io

import imageio.v3 as iio
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image

import ssd
from ssd.config import Config
from ssd.data import augment, pipeline, service
from ssd.photos.letterbox import letterbox
from ssd.photos.reading import read_photo

PORTRAIT = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)


def test_batches_have_the_promised_shapes(disc_labels, tiny):
    for images, labels in ssd.dataset(disc_labels, tiny, batch_size=8, training=True):
        assert images.shape == (8, 64, 96, 3)
        assert images.dtype == tf.uint8
        assert labels.shape == (8, 12, 5)
        assert labels.dtype == tf.float32
        boxes, classes = labels[..., :4].numpy(), labels[..., 4].numpy()
        assert ((boxes >= 0) & (boxes <= 1)).all()
        assert set(np.unique(classes)) <= {-1, 0, 1}
        unused = classes == 0
        assert not boxes[unused].any()
        assert (boxes[~unused][:, 2:] > boxes[~unused][:, :2]).all()


def test_without_training_every_photo_comes_once_and_in_order(disc_labels, tiny):
    batches = list(ssd.dataset(disc_labels, tiny, batch_size=20))
    assert [len(images) for images, _ in batches] == [20, 20, 8]
    again = list(ssd.dataset(disc_labels, tiny, batch_size=20))
    for one, other in zip(batches, again, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])


def test_a_seed_makes_training_batches_repeatable(disc_labels, tiny):
    def batches(seed):
        made = ssd.dataset(disc_labels, tiny, batch_size=16, training=True, seed=seed)
        return np.concatenate([images for images, _ in made])

    np.testing.assert_array_equal(batches(3), batches(3))
    assert (batches(3) != batches(4)).any()


def test_each_pass_shows_other_crops(disc_labels, tiny):
    made = ssd.dataset(disc_labels, tiny, batch_size=48, training=True, seed=1)
    first, second = (np.sort(next(iter(made))[1].numpy(), axis=0) for _ in range(2))
    assert (first != second).any()


def test_boxes_follow_the_photo_into_the_letterbox(disc_labels, tiny):
    """The discs are bright: the mean inside each box is, and outside it is not."""
    for images, labels in ssd.dataset(disc_labels, tiny, batch_size=48):
        for image, label in zip(images.numpy(), labels.numpy(), strict=True):
            covered = np.zeros(image.shape[:2], bool)
            for ymin, xmin, ymax, xmax, class_id in label:
                if class_id == 1:
                    y, x = (
                        slice(round(ymin * 64), round(ymax * 64)),
                        slice(round(xmin * 96), round(xmax * 96)),
                    )
                    covered[y, x] = True
                    assert image[y, x, 0].mean() > 180
            assert image[~covered][:, 0].mean() < 70


def test_a_small_face_is_a_region_to_ignore(tiny):
    # 0.1 × 64 by 0.05 × 96 pixels are 5.5 px across.
    config = dataclasses.replace(tiny, max_boxes=1, min_face=10.0)
    boxes = tf.constant([[0, 0, 0.1, 0.05]])
    label = pipeline.make_label(boxes, tf.constant([1]), config).numpy()
    np.testing.assert_allclose(label, [[0, 0, 0.1, 0.05, -1], [0, 0, 0, 0, 0]])


def test_faces_beyond_max_boxes_become_regions_and_no_region_takes_a_face_s_place(tiny):
    config = dataclasses.replace(tiny, max_boxes=2, min_face=4.0)
    whole, large, half, small = [0, 0, 1, 1], [0, 0, 1, 0.5], [0.5, 0.5, 1, 1], [0, 0, 0.2, 0.2]
    boxes = tf.constant([small, half, large, whole, small])
    label = pipeline.make_label(boxes, tf.constant([1, 2, 1, -1, -1]), config).numpy()
    wanted = [[*large, 1], [*half, 2], [*small, -1], [*whole, -1]]
    np.testing.assert_array_equal(label, np.float32(wanted))
    # Several photos at once, each with its own.
    both = pipeline.make_label(
        tf.stack([boxes, boxes[::-1]]), tf.constant([[1, 2, 1, -1, -1], [0, 0, 0, 0, 1]]), config
    ).numpy()
    np.testing.assert_array_equal(both[0], label)
    np.testing.assert_array_equal(both[1], np.float32([[*small, 1], *[[0] * 5] * 3]))


def test_a_face_of_unknown_class_is_a_face_on_its_way_to_the_batch(tiny):
    config = dataclasses.replace(tiny, max_boxes=1, min_face=4.0)
    boxes = tf.constant([[0.0, 0, 0.5, 0.5], [0, 0, 1, 0.5], [0, 0, 0.01, 0.01]])
    label = pipeline.make_label(boxes, tf.constant([1, -2, -2]), config).numpy()
    np.testing.assert_array_equal(label, np.float32([[0, 0, 1, 0.5, -2], [0, 0, 0.5, 0.5, -1]]))
    # It is one that windows are chosen around, and a region where it is cut in half.
    sizes, face = tf.fill([64, 2], 4000), tf.tile([[[0.5, 0.5, 0.51, 0.51]]], [64, 1, 1])
    heights = []
    for class_id in (1, -2, -1):
        class_ids = tf.fill([64, 1], class_id)
        _, shown, _ = augment.plan_examples(sizes, face, class_ids, config, seed=(0, 1))
        heights.append(float(tf.reduce_max(shown[..., 2] - shown[..., 0])))
    assert heights[0] == heights[1] > 5 * heights[2]
    view = pipeline.letterbox_view(tf.constant([64, 64]), config)
    _, moved = augment.move_boxes([[-1.0, 0, 1, 1], [0.2, 0.2, 0.6, 0.6]], [-2, -2], [64, 64],
                                  view, config.image_size)  # fmt: skip
    assert moved.numpy().tolist() == [-1, -2]


def test_a_photo_without_boxes_has_a_label_of_zeros(tiny):
    label = pipeline.make_label(tf.zeros([0, 4]), tf.zeros([0], tf.int32), tiny).numpy()
    assert label.shape == (12, 5)
    assert not label.any()


def jpeg(photo):
    file = io.BytesIO()
    Image.fromarray(photo).save(file, "JPEG", quality=92)
    return file.getvalue()


def real_photos():
    hopper, collins = iio.imread(PORTRAIT), skimage.data.astronaut()
    yield "portrait", hopper
    yield "landscape", collins[100:340]
    yield "square", collins
    yield "small", np.asarray(Image.fromarray(collins).resize((90, 70)))
    yield "large", np.asarray(Image.fromarray(hopper).resize((1537, 1801)))
    yield "wide", hopper[150:250]
    yield "tall", hopper[:, 200:280]
    yield "odd", skimage.data.coffee()[:333, :501]


def test_photos_fit_as_config_says():
    config = Config(image_size=(96, 128))
    sizes = np.random.default_rng(0).integers(1, 2000, (500, 2))
    fitted = pipeline.fit(tf.constant(sizes, tf.int32), config.image_size).numpy()
    assert fitted.tolist() == [list(config.fit(*size)) for size in sizes.tolist()]


@pytest.mark.parametrize("name", [name for name, _ in real_photos()])
@pytest.mark.parametrize("image_size", [(256, 256), (128, 160)])
def test_training_and_serving_see_the_same_photo(tmp_path, name, image_size):
    config = Config(image_size=image_size)
    encoded = jpeg(dict(real_photos())[name])
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded)

    size = tf.io.extract_jpeg_shape(encoded)[:2]
    decoded = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    serving = letterbox(read_photo(path), config)
    view = pipeline.letterbox_view(size, config)
    whole = augment.make_image(encoded, view, image_size)
    # As the cache keeps it: the decoded photo.
    kept = augment.make_image(decoded, view, image_size)
    # In training, a window that shows the whole photo, cut from the file.
    scale = max(np.divide(size, image_size))
    window = tf.constant([0, 0, *np.multiply(image_size, scale)], tf.float32)
    view = augment.window_to_view(size, window, image_size)
    cut = augment.make_image(encoded, view, image_size)

    for training in (whole, kept, cut):
        assert training.shape == serving.shape == (*image_size, 3)
        difference = np.abs(training.numpy().astype(float) - serving)
        assert difference.mean() < 1  # of 255
    height, width = config.fit(*size.numpy().tolist())
    assert not serving[height:].any()
    assert not serving[:, width:].any()
    assert serving[:height, :width].any(axis=2).mean() > 0.9


def test_a_missing_folder_of_labels_is_named(tmp_path, tiny):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        ssd.dataset(tmp_path / "nowhere", tiny)


def test_a_data_service_makes_the_batches(disc_labels, tiny):
    servers = tf.data.experimental.service
    dispatcher = servers.DispatchServer(servers.DispatcherConfig(port=0))
    target = dispatcher.target.partition("://")[2]
    workers = [servers.WorkerServer(servers.WorkerConfig(target)) for _ in range(2)]
    made = ssd.dataset(disc_labels, tiny, batch_size=16, training=True, service=f"grpc://{target}")
    batches = list(made.take(8).as_numpy_iterator())  # more than a pass of both workers
    assert len(workers) == 2
    assert len(batches) == 8
    for images, labels in batches:
        assert images.shape == (16, 64, 96, 3)
        assert labels.shape == (16, 12, 5)
        assert (labels[..., 4] == 1).any()


@pytest.mark.parametrize("options", [{"training": False}, {"training": True, "seed": 1}])
def test_a_service_has_no_order_to_keep(disc_labels, tiny, options):
    with pytest.raises(ValueError, match="service: wanted training=True and no seed"):
        ssd.dataset(disc_labels, tiny, service="grpc://localhost:1", **options)


@pytest.mark.parametrize("words", [["dispatcher"], ["worker", "grpc://localhost:1"]])
def test_a_service_starts_only_where_it_is_known_to_be_open(words, capsys):
    assert service.main(words) == 2
    error = capsys.readouterr().err
    assert "wanted --open-to-network: whoever reaches its port can read and write files" in error
    assert error.count("\n") == 1
