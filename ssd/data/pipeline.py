"""Shards on disk to batches of static shape: plain TensorFlow, on the CPU, before the device."""

import functools
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from ssd.config import Config
from ssd.data import augment, balancing, checking, placing, records, remote, turning
from ssd.data import cache as kept

# Photos waiting to be shuffled are compressed, 10 to 100 KB each.
_SHUFFLE = 2048
# Photos of which boxes and windows are worked out in one go.
TOGETHER = 32


def dataset(
    labels: records.Labels,
    config: Config,
    *,
    batch_size: int = 32,
    training: bool = False,
    seed: int | None = None,
    weights: Sequence[float] | None = None,
    balance: str | None = None,
    crops: records.Labels | None = None,
    crop_share: float = 0.3,
    crop_spread: float = 1.0,
    cache: str | os.PathLike | None = None,
    service: str | None = None,
    sample_on_device: bool = False,
    rotation: float = 0.0,
) -> tf.data.Dataset:
    """Batches of photos and labels from a folder of shards.

    Args:
        labels: Folder that `python -m distill` or `ssd.data.records` wrote, or a list of several; a
            folder that is named twice is seen twice.
        config: The `ssd.Config` of the model the batches are for.
        batch_size: Photos in a batch.
        training: Whether photos are shuffled and augmented, and an incomplete last batch is
            dropped. If not, each photo is just scaled to fit, in the order on disk.
        seed: Makes shuffling and augmentation repeatable, at some cost in speed.
        weights: For training, how often photos of each folder are to come: `[3, 1]` are three of
            the first for one of the second, however many there are. A pass has as many photos as
            there are; of a small folder they come again.
        balance: "class" has photos of each class come equally often, for training. A photo goes
            with the rarest class on it; photos without a class keep their share.
        crops: For training, folder of labels of crops, photos of one face each, or a list: one to
            four of them are placed at random sizes into a photo on which nothing is, one of
            `labels`. With `balance`, crops of each class come equally often.
        crop_share: How many of the examples are such, over 0 and below 1; a pass has as many
            examples as without crops.
        crop_spread: How far sizes and places of crops vary, from 0, each in the middle of its
            image, to 1. What is hard to tell is learned sooner where it always lies alike.
        cache: Folder to keep decoded photos in, so that they are decoded once and not in each
            pass. Photos larger than twice the input are kept at that size for training. It is
            filled here, survives being killed, and follows changes of labels and Config.
        service: Address of a tf.data service, such as `grpc://10.0.0.1:5050`, whose workers make
            the batches; they must see `labels` (and `cache`) under the same paths. Each worker
            goes through all photos again and again in an order of its own: this is for
            training, there is no end, so give `fit` the number of steps, and no `seed`. Where no
            batch comes any more a line says so after half a minute, and again and again; after
            ten minutes the loop ends with a `tf.errors.InvalidArgumentError`.
        sample_on_device: Whether photos are scaled, mirrored and compressed on the device, by
            `ssd.SSD` in `fit`. An example then costs a core about half as much, and a batch is four
            times as large on its way. For a GPU that waits for its photos; where the device is
            the processor nothing is saved. Scenes with crops are made here all the same.
        rotation: For training, greatest angle in degrees, up to 180, by which every other example
            is turned about its middle, either way; 0 turns none. Not with `sample_on_device`.

    Returns:
        A `tf.data.Dataset` of (images, labels):
        images uint8 [batch, height, width, 3]; labels float32 [batch, 2 * max_boxes, 5], box
        `[ymin, xmin, ymax, xmax]` on the unit square of the image, then class. Unused rows are
        all zeros. Class -2 is a face of unknown class. Class -1 marks a region to ignore, among
        them every face smaller than `config.min_face` and, in training, faces that a crop cut in
        half. With `sample_on_device`, in place of the images a dictionary of "windows", uint8
        [batch, 2 * height, 2 * width, 3], and "views", int32 [batch, 9]
        (`ssd.data.augment.make_part`).

    Raises:
        ConnectionError: If nobody answers at the address of the `service`.
        FileNotFoundError: If a folder is missing or holds no labels.
        ValueError: If labels are unfinished, cut off or of other classes than the Config's,
            `service` is no such address or combined with what it cannot do, there are crops
            and no photo to place them into, or `rotation` is out of range.

    Example:
        >>> import tempfile
        >>> import ssd
        >>> from ssd.data import manifest
        >>> encoded = tf.io.encode_jpeg(tf.zeros([80, 120, 3], tf.uint8)).numpy()
        >>> photo = records.LabeledPhoto(
        ...     encoded=encoded, filename="a.jpg", height=80, width=120,
        ...     boxes=[[0.1, 0.1, 0.5, 0.5]], class_ids=[1], scores=[1.0],
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     records.write_shard(records.shard_path(folder, 0), [photo])
        ...     manifest.write(folder, {"classes": ["face"]})
        ...     for images, labels in ssd.dataset(folder, ssd.Config()):
        ...         print(images.shape, labels.shape)
        (1, 256, 256, 3) (1, 128, 5)
    """
    if service is not None and (seed is not None or not training):
        raise ValueError("service: wanted training=True and no seed, since workers share no order")
    for option, value in {"weights": weights, "balance": balance, "crops": crops}.items():
        if value is not None and (service is not None or not training):
            raise ValueError(f"{option}: wanted training=True and no service")
    turning.check(rotation, training=training, sample_on_device=sample_on_device)
    balancing.check(labels, weights, balance)
    if crops is not None:
        placing.check(labels, crops, crop_share, config.classes, spread=crop_spread)
    photo_count = checking.check(labels, config.classes).photos
    files = [str(path) for path in records.shards(labels)]
    pixels = None
    if cache is not None:
        size = [2 * side for side in config.image_size] if training else config.image_size
        paths = kept.fill(labels, cache, size, lambda record: shrink_photo(record, size))
        files, pixels = [str(path) for path in paths], kept.Pixels(labels, cache, size)
    in_order = not training or seed is not None
    groups = _make_groups(labels, files, config, weights, balance)
    if groups:
        serialized = _draw_records(groups, photo_count, seed=seed)
    else:
        serialized = _read_records(files, training=training, seed=seed, in_order=in_order)

    def make_examples(serialized, *, sample_on_device):
        return _make_examples(
            serialized,
            config,
            training=training,
            seed=seed,
            in_order=in_order,
            pixels=pixels,
            sample_on_device=sample_on_device,
        )

    examples = make_examples(serialized, sample_on_device=sample_on_device)
    if crops is not None:
        read = functools.partial(_read_records, training=True, seed=seed, in_order=in_order)
        scenes = read(files, holds=placing.without_objects).repeat()
        placed = _place_crops(
            make_examples(scenes, sample_on_device=False),
            _read_crops(crops, config, balance, read, seed=seed),
            config,
            seed=seed,
            spread=crop_spread,
        )
        if sample_on_device:
            placed = placed.map(lambda image, label: (augment.finished_part(image), label))
        examples = tf.data.Dataset.sample_from_datasets(
            [examples.repeat(), placed],
            weights=[1 - crop_share, crop_share],
            seed=seed,
            rerandomize_each_iteration=True,
        ).take(photo_count)
    if rotation:
        examples = _turn_examples(examples, rotation, seed=seed)
    # With the number of batches known, a progress bar has an end from the first pass on.
    examples = examples.apply(tf.data.experimental.assert_cardinality(photo_count))
    if sample_on_device:
        batches = pad_parts(examples, config, batch_size, drop_remainder=training)
    else:
        batches = examples.batch(batch_size, drop_remainder=training)
    if service is not None:
        batches = remote.distribute(batches, service)
    return batches.prefetch(tf.data.AUTOTUNE)


def _turn_examples(examples, rotation, *, seed):
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

    def turn(example, seed):
        image, label = example
        return turning.turn_example(image, label, turning.draw_angle(rotation, seed))

    return tf.data.Dataset.zip(examples, seeds).map(
        turn, num_parallel_calls=tf.data.AUTOTUNE, deterministic=seed is not None
    )


def _make_groups(labels, files, config, weights, balance):
    if weights is not None:
        return balancing.by_folder(labels, files, weights)
    return balancing.by_class(files, config.classes) if balance == "class" else []


def _draw_records(groups, count, *, seed):
    """The serialized records of all groups, by their shares."""

    def read(group, number):
        own = None if seed is None else seed + number
        return _read_records(
            group.files, training=True, seed=own, in_order=seed is not None, holds=group.holds
        )

    return balancing.sample(groups, read, count=count, seed=seed)


def _place_crops(scenes, crops, config, *, seed, spread):
    """Examples of scenes, without an end, with some of the crops in each."""
    seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
    several = crops.batch(placing.PER_SCENE, drop_remainder=True).map(records.parse)

    def fill(scene, crops, seed):
        image, boxes, class_ids = placing.place(scene[0], crops, config, seed=seed, spread=spread)
        return image, make_label(boxes, class_ids, config)

    return tf.data.Dataset.zip(scenes, several, seeds).map(
        fill, num_parallel_calls=tf.data.AUTOTUNE, deterministic=seed is not None
    )


def _read_crops(crops, config, balance, read, *, seed):
    """The serialized records of crops, without an end."""
    files = [str(path) for path in records.shards(crops)]
    groups = _make_groups(crops, files, config, None, balance)
    if not groups:
        return read(files).repeat()
    return _draw_records(groups, records.count(crops), seed=seed).repeat()


def _read_records(files, *, training, seed, in_order, holds=None):
    """The serialized records of all files, shuffled for training."""
    photos = tf.data.Dataset.from_tensor_slices(files)
    if training:
        photos = photos.shuffle(len(files), seed=seed)
    photos = photos.interleave(
        tf.data.TFRecordDataset,
        cycle_length=min(4, len(files)) if training else 1,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=in_order,
    )
    if holds is not None:
        groups = photos.batch(TOGETHER)
        photos = groups.map(lambda some: tf.boolean_mask(some, holds(some))).unbatch()
    return photos.shuffle(_SHUFFLE, seed=seed) if training else photos


def pad_parts(
    examples: tf.data.Dataset, config: Config, batch_size: int, *, drop_remainder: bool
) -> tf.data.Dataset:
    """Batches of parts of photos, each in the top left corner of a window of one size.

    Args:
        examples: What `ssd.data.augment.make_part` gives, and the label.
        config: The `ssd.Config` of the model.
        batch_size: Photos in a batch.
        drop_remainder: Whether an incomplete last batch is dropped.

    Returns:
        Batches of ({"windows", "views"}, labels).

    Example:
        >>> part = {"windows": tf.zeros([8, 9, 3], tf.uint8), "views": tf.zeros([9], tf.int32)}
        >>> examples = tf.data.Dataset.from_tensors((part, tf.zeros([128, 5])))
        >>> parts, labels = next(iter(pad_parts(examples, Config(), 1, drop_remainder=True)))
        >>> parts["windows"].shape
        TensorShape([1, 512, 512, 3])
    """
    rows, columns = (2 * side for side in config.image_size)
    shapes = ({"windows": [rows, columns, 3], "views": [9]}, [2 * config.max_boxes, 5])
    return examples.padded_batch(batch_size, shapes, drop_remainder=drop_remainder)


def _make_examples(serialized, config, *, training, seed, in_order, pixels, sample_on_device):
    """Records to (image, label): numbers for many photos at once, then pixels photo by photo."""
    groups = serialized.batch(TOGETHER)
    if training:
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)
        groups = tf.data.Dataset.zip(groups, seeds)

    def plan(serialized, seed=None):
        record = checking.assert_sound(records.parse(serialized), len(config.classes))
        return plan_examples(record, config, seed=seed, all_qualities=sample_on_device)

    make = augment.make_part if sample_on_device else augment.make_image

    def fill(photo, view, label):
        photo = pixels(*photo) if pixels else photo[0]
        return make(photo, view, config.image_size), label

    every = {"num_parallel_calls": tf.data.AUTOTUNE, "deterministic": in_order}
    return groups.map(plan, **every).unbatch().map(fill, **every)


def plan_examples(
    record: dict[str, tf.Tensor], config: Config, *, seed: Any = None, all_qualities: bool = False
) -> tuple[tuple[tf.Tensor, tf.Tensor], augment.View, tf.Tensor]:
    """Examples of a few photos, all but their pixels.

    Args:
        record: What `ssd.data.records.parse` gives of several records.
        config: The `ssd.Config` of the model.
        seed: Two integers for training examples; without, each photo is shown as a whole.
        all_qualities: As for `ssd.data.augment.plan_examples`.

    Returns:
        The photos, as (encoded [photos], sizes [photos, 2]); the `ssd.data.augment.View` of each;
        and the labels, float32 [photos, 2 * config.max_boxes, 5].

    Example:
        >>> record = {
        ...     "encoded": tf.constant([""]),
        ...     "size": tf.constant([[480, 640]]),
        ...     "boxes": tf.constant([[[0.0, 0.25, 1.0, 0.5]]]),
        ...     "class_ids": tf.constant([[1]]),
        ... }
        >>> _, _, label = plan_examples(record, Config())
        >>> label[0, 0].numpy().tolist()
        [0.0, 0.25, 0.75, 0.5, 1.0]
    """
    sizes, boxes, class_ids = record["size"], record["boxes"], record["class_ids"]
    if seed is None:
        view = letterbox_view(sizes, config)
        boxes, class_ids = augment.move_boxes(boxes, class_ids, sizes, view, config.image_size)
    else:
        view, boxes, class_ids = augment.plan_examples(
            sizes, boxes, class_ids, config, seed=seed, all_qualities=all_qualities
        )
    return (record["encoded"], sizes), view, make_label(boxes, class_ids, config)


def letterbox_view(sizes: tf.Tensor, config: Config) -> augment.View:
    """Photos as the model takes them: scaled to fit the top left corner, the rest black.

    This is what `ssd.Detector` does in NumPy when serving; a test holds the two together.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        config: The `ssd.Config` of the model.

    Returns:
        The `ssd.data.augment.View` of each.

    Example:
        >>> letterbox_view(tf.constant([480, 640]), Config()).to_stop.numpy().tolist()
        [192, 256]
    """
    return augment.photo_to_view(sizes, fit(sizes, config.image_size))


def shrink_photo(record: dict[str, tf.Tensor], size: Sequence[int]) -> tf.Tensor:
    """A photo that fits into a size: scaled down with its aspect kept, or left as it is.

    Args:
        record: What `ssd.data.records.parse` gives of one record.
        size: (height, width) in pixels.

    Returns:
        uint8 [height, width, 3], of at least one side as given or as before.

    Example:
        >>> encoded = tf.io.encode_jpeg(tf.zeros([480, 640, 3], tf.uint8))
        >>> shrink_photo({"encoded": encoded, "size": tf.constant([480, 640])}, (256, 256)).shape
        TensorShape([192, 256, 3])
    """
    old = record["size"]
    view = augment.photo_to_view(old, tf.where(tf.reduce_any(old > size), fit(old, size), old))
    return augment.scale_part(*augment.decode_part(record["encoded"], view), view)


def fit(sizes: tf.Tensor, size: Sequence[int]) -> tf.Tensor:
    """What photos measure when they just fit, in the whole numbers of Config.fit.

    Args:
        sizes: int32 [..., 2], (height, width) of the photos in pixels.
        size: (height, width) to fit into, in pixels.

    Returns:
        int32 [..., 2].

    Example:
        >>> fit(tf.constant([[480, 640], [640, 480]]), (256, 256)).numpy().tolist()
        [[192, 256], [256, 192]]
    """
    turned = sizes[..., ::-1]
    inner = (2 * sizes * size[::-1] + turned) // (2 * turned)
    return tf.clip_by_value(inner, 1, size)


def make_label(boxes: tf.Tensor, class_ids: tf.Tensor, config: Config) -> tf.Tensor:
    """Boxes and classes as labels of fixed shape: faces first, then regions, the largest first.

    Args:
        boxes: float32 [..., boxes, 4] on the unit square of the image.
        class_ids: int [..., boxes]; -1 marks a region to ignore, -2 a face of unknown class.
        config: The `ssd.Config` of the model.

    Returns:
        float32 [..., 2 * config.max_boxes, 5]. Faces smaller than `config.min_face` have class
        -1, and so do the smallest of more than `config.max_boxes`: what cannot be learned must
        not be taken for background either. No region takes the place of a face. Boxes of class
        0 or without area are left out.

    Example:
        >>> boxes = tf.constant([[0.0, 0.0, 0.25, 0.25], [0.0, 0.0, 0.5, 0.5]])
        >>> make_label(boxes, tf.constant([1, 2]), Config(max_boxes=1)).numpy().tolist()
        [[0.0, 0.0, 0.5, 0.5, 2.0], [0.0, 0.0, 0.25, 0.25, -1.0]]
    """
    height, width = config.image_size
    classes = tf.cast(class_ids, tf.float32)
    area = augment.area(boxes) * tf.cast(classes != 0, tf.float32)  # share of the image
    classes = tf.where(area * height * width < config.min_face**2, -1.0, classes)
    label = tf.concat([boxes, classes[..., None]], axis=-1)
    label = tf.where(area[..., None] > 0, label, 0.0)
    # No region has an area above 1.
    first = area + tf.cast(augment.is_object(label[..., 4]), tf.float32)
    rows, leading = 2 * config.max_boxes, len(boxes.shape) - 2
    used = tf.minimum(tf.shape(first)[-1], rows)
    _, order = tf.math.top_k(first, used)  # of equals the first comes first
    label = tf.gather(label, order, axis=-2, batch_dims=leading)
    beyond = tf.range(used) >= config.max_boxes
    classes = tf.where(beyond & augment.is_object(label[..., 4]), -1.0, label[..., 4])
    label = tf.concat([label[..., :4], classes[..., None]], axis=-1)
    label = tf.pad(label, [*[[0, 0]] * leading, [0, rows - used], [0, 0]])
    return tf.ensure_shape(label, [*boxes.shape[:-2], rows, 5])
