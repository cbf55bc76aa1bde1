"""Data that passes through a clock on its way into `fit`: the batches as they were, in the order
that `fit` would take them in.

Keras asks for the next batch inside a compiled function (TensorFlow) or in the middle of its loop
(JAX), where no callback can look. The data itself is asked in both, so it keeps the time.
"""

import itertools
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from ssd.balance.clocks import Delivery

ROWS = 16_384  # deliveries that a dataset can note before they are taken
_IN_BACKGROUND = ("Prefetch", "Parallel", "MapAndBatch", "DataService", "Snapshot")
Take = Callable[[], list[Delivery]]


def through(data: Any, *, shuffle: bool = True) -> tuple[Any, Take]:
    """Data for `fit` that notes when each batch is asked for and when it is there.

    Args:
        data: A `tf.data.Dataset`, or any iterable of batches as Keras takes them.
        shuffle: Under TensorFlow, whether batches of a `PyDataset` come in another order in each
            epoch. Under JAX `fit` itself asks for them, in the order that it was told.

    Returns:
        (what to give to `fit`, a function that returns the deliveries since it was called last).

    Raises:
        ValueError: If it is neither, or a `keras.utils.PyDataset` with several workers.

    Example:
        >>> batch = (np.zeros((2, 3)), np.zeros((2, 1)))
        >>> data, take = through([batch] * 4)
        >>> len(data)
        4
    """
    tensorflow = sys.modules.get("tensorflow")  # whoever made a dataset has imported it
    if tensorflow is not None and isinstance(data, tensorflow.data.Dataset):
        return _dataset(data)
    if isinstance(data, keras.utils.PyDataset):
        if data.workers > 1 or data.use_multiprocessing:
            raise ValueError(
                "data: wanted a tf.data.Dataset or an iterable of batches, got a PyDataset with "
                "workers; they hand batches over where no clock can look"
            )
        if keras.backend.backend() == "tensorflow":
            endless = data.num_batches is None
            data = map(data.__getitem__, itertools.count()) if endless else _Epochs(data, shuffle)
    elif isinstance(data, np.ndarray | tuple | dict | str) or not isinstance(data, Iterable):
        raise ValueError(
            f"data: wanted a tf.data.Dataset or an iterable of batches, got a {type(data).__name__}"
        )
    if keras.backend.backend() == "tensorflow":
        return _dataset(_as_keras_would(data))
    # Keras goes through these in the thread that also gives the device its work.
    taken: list[Delivery] = []

    def take() -> list[Delivery]:
        new = taken[:]
        del taken[: len(new)]
        return new

    if isinstance(data, keras.utils.PyDataset):
        return _Indexed(data, taken), take
    timed = _Batches(data, taken) if hasattr(data, "__len__") else _timed(iter(data), taken)
    return timed, take


def works_ahead(data: Any) -> bool:
    """Whether batches are made while the device works, as far as can be told from outside.

    Args:
        data: What `through` was given.

    Returns:
        Whether a dataset has a stage that works in the background; of other batches, whether
        Keras would make one: under TensorFlow.

    Example:
        >>> works_ahead([1, 2]) == (keras.backend.backend() == "tensorflow")
        True
    """
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None or not isinstance(data, tensorflow.data.Dataset):
        return keras.backend.backend() == "tensorflow"
    stages = [data]
    while stages:
        stage = stages.pop()
        if any(word in type(stage).__name__ for word in _IN_BACKGROUND):
            return True
        if not hasattr(stage, "_inputs"):
            return True  # most do
        stages.extend(stage._inputs())
    return False


def _dataset(dataset: Any) -> tuple[Any, Take]:
    """The dataset with a clock reading before and after each element, kept in variables.

    A zip asks its parts one after the other, in the thread of whoever asks it: the first part is
    the clock. All is graph, so that no step waits for Python.
    """
    import tensorflow as tf

    with tf.device("CPU:0"):
        table = tf.Variable(tf.zeros([ROWS, 3], tf.float64), trainable=False)

    def note(row: Any, asked: Any, *element: Any) -> tuple[Any, ...]:
        # The first leaf may be of another kind than a tensor, whose length tells nothing.
        first = element[0] if isinstance(specs[0], tf.TensorSpec) else tf.constant(0)
        size = tf.cast(tf.reduce_sum(tf.shape(first)[:1]), tf.float64)
        table.scatter_nd_update([[row]], [tf.stack([asked, tf.timestamp(), size])])
        return element

    row, asked = tf.TensorSpec([], tf.int64), tf.TensorSpec([], tf.float64)
    specs = tf.nest.flatten(dataset.element_spec)
    clock = _mapped(
        tf.data.Dataset.range(ROWS).repeat(), lambda row: (row, tf.timestamp()), (row, asked)
    )
    options = tf.data.Options()
    # tf.data would put a buffer behind the last stage, and the clock would see that filled.
    options.experimental_optimization.inject_prefetch = False
    timed = _mapped(tf.data.Dataset.zip((clock, dataset)), note, dataset.element_spec)
    timed = timed.with_options(options)
    last = 0.0

    def take() -> list[Delivery]:
        nonlocal last
        rows = table.numpy()
        rows = rows[rows[:, 1] > last]
        rows = rows[np.argsort(rows[:, 1], kind="stable")]
        last = max(last, rows[-1, 1]) if len(rows) else last
        return [Delivery(asked, ready, int(size)) for asked, ready, size in rows.tolist()]

    return timed, take


def _mapped(dataset: Any, function: Callable[..., Any], spec: Any) -> Any:
    """As `dataset.map`, in the thread that asks: `map` hands each operation to other threads, which
    takes ten times as long as a clock.

    Args:
        dataset: The elements.
        function: Told the flat tensors of an element; what is no tensor comes as a variant.
        spec: The structure of what it returns, flat.
    """
    import tensorflow as tf

    def flat(spec: Any) -> list[Any]:
        nothing, variant = tf.type_spec_from_value(None), tf.TensorSpec(None, tf.variant)
        leaves = [leaf for leaf in tf.nest.flatten(spec) if leaf != nothing]
        return [leaf if isinstance(leaf, tf.TensorSpec) else variant for leaf in leaves]

    concrete = tf.function(function).get_concrete_function(*flat(dataset.element_spec))
    made = tf.raw_ops.MapDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        other_arguments=concrete.captured_inputs,
        f=concrete,
        output_types=[leaf.dtype for leaf in flat(spec)],
        output_shapes=[leaf.shape for leaf in flat(spec)],
        use_inter_op_parallelism=False,
        preserve_cardinality=True,
    )
    return tf.data.experimental.from_variant(made, spec)


def _as_keras_would(data: Iterable[Any]) -> Any:
    """Batches of Python as Keras makes a dataset of them: in the background, a few ahead."""
    import tensorflow as tf

    again = iter(data) is not data  # a generator goes on where it was
    batches = data.in_order() if isinstance(data, _Epochs) else iter(data)
    first = []
    for batch in batches:
        first.append(_checked(batch))
        if len(first) == 2:
            break
    if not first:
        raise ValueError("data: wanted an iterable of batches, got one without any")

    def spec(*leaves: Any) -> Any:
        arrays = [np.asarray(leaf) for leaf in leaves]
        sizes = [*zip(*(array.shape for array in arrays), strict=True)]
        rest = [each[0] if len({*each}) == 1 else None for each in sizes[1:]]
        return tf.TensorSpec([None, *rest], arrays[0].dtype)

    def generate() -> Iterator[Any]:
        if again:
            yield from map(_checked, data)
        else:
            while first:
                yield first.pop(0)
            yield from map(_checked, batches)

    signature = tf.nest.map_structure(spec, *first)
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    if hasattr(data, "__len__"):
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(data)))  # type: ignore
    return dataset.prefetch(tf.data.AUTOTUNE)


def _checked(batch: Any) -> Any:
    """A batch that Keras takes: a list of its parts is a tuple of them."""
    batch = tuple(batch) if isinstance(batch, list) else batch
    if not isinstance(batch, tuple | dict):
        raise ValueError(
            "data: wanted batches (inputs,), (inputs, targets) or (inputs, targets, weights), "
            f"got a {type(batch).__name__}"
        )
    return batch


def _timed(batches: Iterator[Any], taken: list[Delivery]) -> Iterator[Any]:
    while True:
        try:
            yield _noted(batches.__next__, taken)
        except StopIteration:
            return


def _noted(ask: Callable[[], Any], taken: list[Delivery]) -> Any:
    """A batch, and in `taken` when it was asked for and there."""
    asked = time.time()
    batch = _checked(ask())
    taken.append(Delivery(asked, time.time(), _size(batch)))
    return batch


def _size(batch: Any) -> int:
    first = next(iter(batch.values() if isinstance(batch, dict) else batch), None)
    while isinstance(first, dict | list | tuple):
        first = next(iter(first.values() if isinstance(first, dict) else first), None)
    shape = tuple(getattr(first, "shape", ()))
    return int(shape[0]) if shape else 0


class _Epochs:
    """The batches of a `PyDataset`, epoch after epoch as Keras takes them under TensorFlow."""

    def __init__(self, data: keras.utils.PyDataset, shuffle: bool):
        self._data, self._shuffle = data, shuffle

    def __len__(self) -> int:
        return int(self._data.num_batches or 0)

    def __iter__(self) -> Iterator[Any]:
        self._data.on_epoch_begin()
        indices = [*range(len(self))]
        if self._shuffle:
            random.shuffle(indices)  # as Keras does: by the seed that it sets
        yield from map(self._data.__getitem__, indices)
        self._data.on_epoch_end()

    def in_order(self) -> Iterator[Any]:
        """The batches to look at beforehand: no epoch, and nothing is drawn at random."""
        return map(self._data.__getitem__, range(len(self)))


class _Indexed(keras.utils.PyDataset):
    """A `PyDataset` that notes what is asked of it."""

    def __init__(self, data: keras.utils.PyDataset, taken: list[Delivery]):
        super().__init__()
        self._data, self._taken = data, taken

    @property
    def num_batches(self) -> int | None:
        return self._data.num_batches

    def __getitem__(self, index: int) -> Any:
        return _noted(lambda: self._data[index], self._taken)

    def on_epoch_begin(self) -> None:
        self._data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self._data.on_epoch_end()


class _Batches(keras.utils.PyDataset):
    """Batches of which there is a number, as what Keras takes with their number."""

    def __init__(self, data: Any, taken: list[Delivery]):
        super().__init__()
        self._data, self._taken = data, taken
        self._left: Iterator[Any] = iter(())

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, index: int) -> Any:
        batch = next(self._left, None)
        if batch is None:
            self._left = _timed(iter(self._data), self._taken)
            batch = next(self._left)
        return batch
