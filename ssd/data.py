"""Shards on disk to batches of static shape: plain TensorFlow, on the CPU, before the device."""

import tensorflow as tf

from ssd import augment, records
from ssd import cache as kept

# Photos waiting to be shuffled are compressed, 10 to 100 KB each.
_SHUFFLE = 2048


def dataset(labels, config, *, batch_size=32, training=False, seed=None, cache=None, service=None):
    """Batches of photos and labels from a folder of shards.

    Args:
        labels: Folder that `python -m distill` or `ssd.records` wrote, or a list of several; a
            folder that is named twice is seen twice.
        config: The `ssd.Config` of the model the batches are for.
        batch_size: Photos in a batch.
        training: Whether photos are shuffled and augmented, and an incomplete last batch is
            dropped. If not, each photo is just scaled to fit, in the order on disk.
        seed: Makes shuffling and augmentation repeatable, at some cost in speed.
        cache: Folder to keep decoded photos in, so that they are decoded once and not in each
            pass. Photos larger than twice the input are kept at that size for training. It is
            filled here, survives being killed, and follows changes of labels and Config.
        service: Address of a tf.data service, such as `grpc://10.0.0.1:5050`, whose workers make
            the batches; they must see `labels` (and `cache`) under the same paths. Each worker
            goes through all photos in an order of its own, so this is for training, in which
            the number of steps is given, and cannot be combined with `seed`.

    Returns:
        A `tf.data.Dataset` of (images, labels):
        images uint8 [batch, height, width, 3]; labels float32 [batch, max_boxes, 5], box
        `[ymin, xmin, ymax, xmax]` on the unit square of the image, then class. Unused rows are
        all zeros. Class -1 marks a region to ignore, among them every face smaller than
        `config.min_face` and, in training, faces that a crop cut in half.

    Raises:
        ValueError: If the folder is missing or holds no shards, or `service` is combined with
            what it cannot do.
    """
    if service is not None and (seed is not None or not training):
        raise ValueError("service: wanted training=True and no seed, since workers share no order")
    files = [str(path) for path in records.shards(labels)]
    if cache is not None:
        size = [2 * side for side in config.image_size] if training else config.image_size
        paths = kept.fill(labels, cache, size, lambda photo: shrink(photo, size))
        files = [str(path) for path in paths]
    in_order = not training or seed is not None
    photos = tf.data.Dataset.from_tensor_slices(files)
    if training:
        photos = photos.shuffle(len(files), seed=seed)
    photos = photos.interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(4, len(files)) if training else 1,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=in_order,
    )
    if training:
        photos = photos.shuffle(_SHUFFLE, seed=seed)
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
        photos = tf.data.Dataset.zip(photos, seeds)
    else:
        photos = photos.map(lambda serialized: (serialized, (0, 0)))

    def prepare(serialized, seed):
        record = records.parse(serialized) if cache is None else kept.parse(serialized)
        photo, boxes, classes = record["encoded"], record["boxes"], record["classes"]
        if training:
            image, boxes, classes = augment.augment(photo, boxes, classes, config, seed=seed)
        else:
            if cache is None:
                photo = tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")
            image, boxes = letterbox(photo, boxes, config)
        return image, rows(boxes, classes, config)

    photos = photos.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=in_order)
    # With the number of batches known, a progress bar has an end from the first pass on.
    photos = photos.apply(tf.data.experimental.assert_cardinality(records.count(labels)))
    photos = photos.batch(batch_size, drop_remainder=training)
    if service is not None:
        photos = photos.apply(
            tf.data.experimental.service.distribute(
                processing_mode=tf.data.experimental.service.ShardingPolicy.OFF, service=service
            )
        )
    return photos.prefetch(tf.data.AUTOTUNE)


def letterbox(photo, boxes, config):
    """A photo as the model takes it: scaled to fit the top left corner, the rest black.

    This is what `ssd.Detector` does in NumPy when serving; a test holds the two together.

    Args:
        photo: uint8 [height, width, 3].
        boxes: float32 [boxes, 4] on the unit square of the photo.
        config: The `ssd.Config` of the model.

    Returns:
        uint8 [*config.image_size, 3], and the boxes on its unit square.
    """
    rows, columns = config.image_size
    inner = fit(photo, config.image_size)
    image = tf.image.pad_to_bounding_box(augment.resize(photo, inner), 0, 0, rows, columns)
    share = tf.cast(inner, tf.float32) / (rows, columns)
    return image, boxes * tf.tile(share, [2])


def shrink(photo, size):
    """A photo that fits into a size: scaled down with its aspect kept, or left as it is.

    Args:
        photo: uint8 [height, width, 3].
        size: (height, width) in pixels.

    Returns:
        uint8 [height, width, 3], of at least one side as given or as before.
    """
    larger = tf.reduce_any(tf.shape(photo)[:2] > size)
    return tf.cond(larger, lambda: augment.resize(photo, fit(photo, size)), lambda: photo)


def fit(photo, size):
    """(height, width) int32 [2] that a photo has when it just fits, in the numbers of Config.fit.

    Args:
        photo: uint8 [height, width, 3].
        size: (height, width) in pixels.
    """
    rows, columns = size
    height, width = tf.shape(photo)[0], tf.shape(photo)[1]
    inner_height = (2 * height * columns + width) // (2 * width)
    inner_width = (2 * width * rows + height) // (2 * height)
    return tf.clip_by_value(tf.stack([inner_height, inner_width]), 1, [rows, columns])


def rows(boxes, classes, config):
    """Boxes and classes as one label of fixed shape, the largest first.

    Args:
        boxes: float32 [boxes, 4] on the unit square of the image.
        classes: int [boxes]; -1 marks a region to ignore.
        config: The `ssd.Config` of the model.

    Returns:
        float32 [config.max_boxes, 5]; faces smaller than `config.min_face` have class -1.
    """
    height, width = config.image_size
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * height * width
    classes = tf.where(area < config.min_face**2, -1, tf.cast(classes, tf.int32))
    label = tf.concat([boxes, tf.cast(classes, tf.float32)[:, None]], axis=1)
    found = tf.math.count_nonzero(area > 0, dtype=tf.int32)
    largest = tf.argsort(area, direction="DESCENDING", stable=True)
    label = tf.gather(label, largest[: tf.minimum(found, config.max_boxes)])
    label = tf.pad(label, [[0, config.max_boxes - tf.shape(label)[0]], [0, 0]])
    return tf.ensure_shape(label, (config.max_boxes, 5))
