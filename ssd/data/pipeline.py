"""Shards on disk to batches of static shape: plain TensorFlow, on the CPU, before the device."""

import tensorflow as tf

from ssd.data import augment, records
from ssd.data import cache as kept

# Photos waiting to be shuffled are compressed, 10 to 100 KB each.
_SHUFFLE = 2048
_AHEAD = 4  # batches that a worker has ready
# Photos of which boxes and windows are worked out in one go.
TOGETHER = 32


def dataset(labels, config, *, batch_size=32, training=False, seed=None, cache=None, service=None):
    """Batches of photos and labels from a folder of shards.

    Args:
        labels: Folder that `python -m distill` or `ssd.data.records` wrote, or a list of several; a
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
            goes through all photos again and again in an order of its own: this is for
            training, there is no end, so give `fit` the number of steps, and no `seed`.

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
        paths = kept.fill(labels, cache, size, lambda record: shrink(record, size))
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
    photos = photos.batch(TOGETHER)
    if training:
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
        photos = tf.data.Dataset.zip(photos, seeds)

    def numbers(serialized, seed=None):
        return plan(records.parse(serialized), config, seed=seed, halve=cache is None)

    def pixels(photo, view, label):
        if cache is not None:
            photo = kept.pixels(*photo)
        else:
            photo, _ = photo
        return augment.show(photo, view, config.image_size), label

    every = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": in_order}
    photos = photos.map(numbers, **every).unbatch().map(pixels, **every)
    # With the number of batches known, a progress bar has an end from the first pass on.
    photos = photos.apply(tf.data.experimental.assert_cardinality(records.count(labels)))
    photos = photos.batch(batch_size, drop_remainder=training)
    if service is not None:
        # Without an end, since workers would wait a second to be told of the next pass; and a
        # worker, too, makes the next batches while one is on its way.
        photos = (
            photos.repeat()
            .prefetch(_AHEAD)
            .apply(
                tf.data.experimental.service.distribute(
                    processing_mode=tf.data.experimental.service.ShardingPolicy.OFF,
                    service=service,
                    # Pixels hardly get smaller, and to try costs the workers time.
                    compression=None,
                )
            )
        )
    return photos.prefetch(tf.data.AUTOTUNE)


def plan(record, config, *, seed=None, halve=True):
    """Examples of a few photos, all but their pixels.

    Args:
        record: What `ssd.data.records.parse` gives of several records.
        config: The `ssd.Config` of the model.
        seed: Two integers for training examples; without, each photo is shown as a whole.
        halve: Whether the photos are JPEG files, which may be halved while they are decoded.

    Returns:
        The photos, as (encoded [photos], sizes [photos, 2]); the `ssd.data.augment.View` of each;
        and the labels, float32 [photos, config.max_boxes, 5].
    """
    sizes, boxes, classes = record["size"], record["boxes"], record["class_ids"]
    if seed is None:
        view, boxes = letterbox(sizes, boxes, config, halve=halve)
    else:
        view, boxes, classes = augment.plan(sizes, boxes, classes, config, seed=seed, halve=halve)
    return (record["encoded"], sizes), view, rows(boxes, classes, config)


def letterbox(sizes, boxes, config, *, halve=True):
    """Photos as the model takes them: scaled to fit the top left corner, the rest black.

    This is what `ssd.Detector` does in NumPy when serving; a test holds the two together.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        boxes: float32 [..., boxes, 4] on the unit square of the photo.
        config: The `ssd.Config` of the model.
        halve: Whether the photos are JPEG files, which may be halved while they are decoded.

    Returns:
        The `ssd.data.augment.View` of each, and its boxes on the unit square of the model's input.
    """
    inner = fit(sizes, config.image_size)
    corner = tf.zeros_like(sizes)
    share = tf.cast(inner, tf.float32) / config.image_size
    view = augment.view(sizes, corner, sizes, corner, inner, halve=halve)
    return view, boxes * tf.concat([share, share], axis=-1)[..., None, :]


def shrink(record, size):
    """A photo that fits into a size: scaled down with its aspect kept, or left as it is.

    Args:
        record: What `ssd.data.records.parse` gives of one record.
        size: (height, width) in pixels.

    Returns:
        uint8 [height, width, 3], of at least one side as given or as before.
    """
    old, corner = record["size"], tf.zeros(2, tf.int32)
    new = tf.where(tf.reduce_any(old > size), fit(old, size), old)
    view = augment.view(old, corner, old, corner, new)
    return augment.resize(augment.take(record["encoded"], view), new)


def fit(sizes, size):
    """What photos measure when they just fit, in the whole numbers of Config.fit.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        size: (height, width) to fit into, in pixels.

    Returns:
        int32 [..., 2].
    """
    turned = sizes[..., ::-1]
    inner = (2 * sizes * size[::-1] + turned) // (2 * turned)
    return tf.clip_by_value(inner, 1, size)


def rows(boxes, classes, config):
    """Boxes and classes as labels of fixed shape, the largest first.

    Args:
        boxes: float32 [..., boxes, 4] on the unit square of the image.
        classes: int [..., boxes]; -1 marks a region to ignore.
        config: The `ssd.Config` of the model.

    Returns:
        float32 [..., config.max_boxes, 5]; faces smaller than `config.min_face` have class -1.
        Boxes of class 0 or without area are left out.
    """
    height, width = config.image_size
    classes = tf.cast(classes, tf.float32)
    area = augment.area(boxes) * tf.cast(classes != 0, tf.float32) * height * width
    classes = tf.where(area < config.min_face**2, -1.0, classes)
    label = tf.concat([boxes, classes[..., None]], axis=-1)
    label = tf.where(area[..., None] > 0, label, 0.0)
    # Unused rows go last, and there are enough of them.
    spare = [[0, 0]] * (len(boxes.shape) - 2) + [[0, config.max_boxes]]
    label, area = tf.pad(label, [*spare, [0, 0]]), tf.pad(area, spare)
    _, largest = tf.math.top_k(area, config.max_boxes)  # of equals the first comes first
    return tf.gather(label, largest, axis=-2, batch_dims=len(boxes.shape) - 2)
