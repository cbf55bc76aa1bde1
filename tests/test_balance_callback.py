"""What a device waits for: the arithmetic against a simulated loop, the callback in real ones."""

import gc
import time

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ssd
from ssd.balance import callback, passing
from ssd.balance.clocks import Delivery, Spent

pytestmark = pytest.mark.device

seconds = st.integers(0, 9)


@given(
    steps=st.lists(st.tuples(seconds, seconds, seconds), min_size=1, max_size=30),
    ahead=st.booleans(),
)
def test_a_simulated_loop_is_told_apart_to_the_second(steps, ahead):
    """Data, device and the loop itself take known times, one after the other or overlapping."""
    spent, now, free, idle, worked, made = Spent(), 0.0, 0.0, 0.0, 0.0, 0.0
    for data, device, own in steps:
        now += own
        asked = now
        before, since = free, made if ahead else max(made, asked)
        made = since + data
        now = ready = max(asked, made)
        begun = max(ready, free)
        idle += max(0.0, made - max(since, before)) if made > asked else 0.0
        worked += device
        free = begun + device
        if not ahead:
            now = free
        spent.add(before, free, [Delivery(asked, ready, 2)], ahead=ahead)
    assert (spent.steps, spent.batches, spent.examples) == (len(steps), len(steps), 2 * len(steps))
    assert spent.total == free
    assert spent.device == pytest.approx(worked)
    assert spent.waiting == pytest.approx(idle)


def test_steps_of_one_call_share_what_they_must_have_taken():
    """Four steps of 2 s in a call; the third batch comes 3 s late, and the device waits for it."""
    spent = Spent()
    spent.add(
        10.0,
        21.0,
        [Delivery(10, 10), Delivery(10, 11), Delivery(11, 17), Delivery(17, 17)],
        ahead=False,
    )
    assert (spent.steps, spent.total) == (4, 11)
    assert (spent.device, spent.waiting) == (8, 3)


def test_a_call_without_a_batch_of_its_own_is_work():
    """Where Keras looks a batch ahead, the last call of an epoch asks for none."""
    spent = Spent()
    spent.add(10.0, 12.0, [], ahead=True)
    assert (spent.steps, spent.batches, spent.device, spent.waiting) == (1, 0, 2, 0)


class Steady(keras.Sequential):
    """A model of one weight whose device takes at least so long."""

    def __init__(self, at_least=0.0):
        super().__init__([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
        self.at_least = at_least
        self.compile("sgd", "mse", run_eagerly=bool(at_least))

    def train_step(self, *arguments):
        time.sleep(self.at_least)
        return super().train_step(*arguments)


def batches(count, at_least=0.0):
    for index in range(count):
        time.sleep(at_least)
        yield np.full((4, 3), index, np.float32), np.zeros((4, 1), np.float32)


def as_dataset(count, at_least=0.0):
    import tensorflow as tf

    specs = (tf.TensorSpec((None, 3)), tf.TensorSpec((None, 1)))
    data = tf.data.Dataset.from_generator(lambda: batches(count, at_least), output_signature=specs)
    return data.apply(tf.data.experimental.assert_cardinality(count))


class Indexed(keras.utils.PyDataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return [*batches(6)][index]


KINDS = {
    "dataset": lambda: as_dataset(6),
    "list": lambda: [*batches(6)],
    "generator": lambda: batches(100),
    "PyDataset": lambda: Indexed(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_batches_pass_as_they_were_and_every_step_is_counted(kind):
    lines, losses = [], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(batch)

    balance = ssd.Balance(say=lines.append)
    data = balance(KINDS[kind]())
    steps = 6 if kind == "generator" else None
    model = Steady()
    history = model.fit(
        data, epochs=2, steps_per_epoch=steps, verbose=0, callbacks=[balance, Watch()]
    ).history
    assert losses == [*range(6), *range(6)]
    assert (balance.spent.steps, balance.spent.batches, balance.spent.examples) == (6, 6, 24)
    assert len(history["waited_for_data"]) == len(lines) == 2
    assert all(0 <= share <= 1 for share in history["waited_for_data"])
    assert history["device_ms"][1] <= history["step_ms"][1]
    assert balance.compile_seconds > 0


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_pydataset_is_shuffled_as_without(shuffle):
    """Each epoch in another order, by Keras's seed, or in none; and it is told of its epochs."""
    told = []

    class Told(Indexed):
        def on_epoch_begin(self):
            told.append("begin")

        def on_epoch_end(self):
            told.append("end")

    def orders(passing):
        keras.utils.set_random_seed(3)
        balance, seen = ssd.Balance(say=lambda line: None), []

        class Seeing(Steady):
            def train_step(self, *arguments):
                seen.append(int(np.asarray(arguments[-1][0])[0, 0]))
                return super().train_step(*arguments)

        model, data = Seeing(), Told()
        model.compile("sgd", "mse", run_eagerly=True)
        callbacks = [balance] if passing else []
        data = balance(data, shuffle=shuffle) if passing else data
        told.clear()
        model.fit(data, epochs=3, verbose=0, callbacks=callbacks, shuffle=shuffle)
        return [seen[0:6], seen[6:12], seen[12:]]

    plain, passed = orders(passing=False), orders(passing=True)
    assert told[-2:] == ["begin", "end"]
    assert passed == plain
    assert all(sorted(order) == [*range(6)] for order in passed)
    assert len({tuple(order) for order in passed}) == (3 if shuffle else 1)


@pytest.mark.parametrize("kind", ["dataset", "list"])
def test_what_passes_through_is_what_came(kind):
    data, take = passing.through(KINDS[kind]())
    in_python = isinstance(data, keras.utils.PyDataset)
    found = [images for images, _ in (map(data.__getitem__, range(6)) if in_python else data)]
    assert [int(np.asarray(images)[0, 0]) for images in found] == [*range(6)]
    taken = take()
    assert [each.examples for each in taken] == [4] * 6
    assert all(each.asked <= each.ready for each in taken)
    assert take() == []


def test_what_is_no_dense_tensor_passes_too():
    """The clock takes elements apart; and what it is made of outlives what made it."""
    tf = pytest.importorskip("tensorflow")
    ragged = tf.ragged.constant([[1.0], [2.0, 3.0], [4.0], [5.0]])
    sparse = tf.sparse.from_dense(np.eye(4, dtype=np.float32))
    numbers = {"a": np.arange(4), "b": np.ones((4, 2))}
    options = tf.data.Options()
    options.threading.private_threadpool_size = 3
    for parts, sizes in (((numbers, ragged, sparse), [3, 1]), ((ragged, numbers), [0, 0])):
        whole = tf.data.Dataset.from_tensor_slices(parts).batch(3).with_options(options)
        whole = whole.map(lambda *parts: (*parts, None))
        timed, take = passing.through(whole)
        assert timed.element_spec == whole.element_spec
        assert len(timed) == 2
        wanted = [tf.nest.flatten(each, expand_composites=True) for each in whole]
        del whole
        gc.collect()
        for expected, element in zip(wanted, timed, strict=True):
            found = tf.nest.flatten(element, expand_composites=True)
            for left, right in zip(expected, found, strict=True):
                np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
        assert [each.examples for each in take()] == sizes


def test_a_table_lives_as_long_as_what_it_passes_through():
    """Python owns it, the operations of a dataset only name it."""
    tf = pytest.importorskip("tensorflow")

    def through():
        rows = tf.lookup.KeyValueTensorInitializer(["cat", "dog"], [3, 4])
        table = tf.lookup.StaticHashTable(rows, 0)
        names = tf.data.Dataset.from_tensor_slices([["dog"], ["cat"], ["cow"]])
        return passing.through(names.map(table.lookup))

    timed, take = through()
    gc.collect()
    assert [np.asarray(each).tolist() for each in timed] == [[4], [3], [0]]
    assert len(take()) == 3


@pytest.mark.parametrize("steps", [1, 3])
def test_slow_data_is_waited_for(steps):
    """However busy the machine is, a batch is there no sooner than it was made."""
    balance = ssd.Balance(say=lambda line: None)
    model = Steady()
    model.compile("sgd", "mse", steps_per_execution=steps)
    model.fit(balance(as_dataset(6, 0.05)), epochs=2, verbose=0, callbacks=[balance])
    spent = balance.spent
    assert spent.steps == 6
    assert spent.delivering >= 6 * 0.05
    assert spent.waiting + spent.device >= 0.95 * 6 * 0.05
    if steps == 1:
        assert spent.waiting >= 6 * 0.05


def test_a_slow_device_is_not_waiting():
    balance = ssd.Balance(say=lambda line: None)
    model = Steady(at_least=0.05)
    model.fit(balance([*batches(6)]), epochs=2, verbose=0, callbacks=[balance])
    assert balance.spent.steps == 6
    assert balance.spent.device >= 6 * 0.05


def test_the_line_says_what_would_balance(monkeypatch):
    """The project's published starting point: 28 ms a photo, 4 cores, a step of 10.4 ms."""
    balance = ssd.Balance()
    balance.set_model(Steady())
    monkeypatch.setattr(callback, "_cores", lambda: 4)
    balance.spent = Spent(10, 10, 320, total=2.24, waiting=2.136, device=0.104)
    balance._worked = [(0.0, 0.0), (1.0, 4.0)]
    said = "waited for data 95 % · data 224 ms, device 10.4 ms a batch"
    assert balance._describe() == f"{said} · 82 cores or 2,900 photos/s would balance"
    balance._worked = [(0.0, 0.0), (1.0, 0.4)]
    assert balance._describe() == (
        f"{said} · 2,900 photos/s would balance, not more cores: 10 % of these work"
    )
    balance.spent = Spent(10, 10, 320, total=2.24, waiting=0.02, device=2.2)
    assert balance._describe() == ("waited for data 1 % · data keeps up, device 220 ms a batch")
    balance.spent = Spent()
    assert "not measured: the epoch has one step" in balance._describe()


def test_a_run_longer_than_the_data_can_note_is_counted_to_the_end(monkeypatch):
    monkeypatch.setattr(callback, "_MOST", 4)
    balance = ssd.Balance(say=lambda line: None)
    Steady().fit(balance(as_dataset(30)), epochs=1, verbose=0, callbacks=[balance])
    assert (balance.spent.steps, balance.spent.batches) == (29, 29)  # all but the one that compiled


def test_data_that_no_clock_can_see_is_refused():
    with pytest.raises(ValueError, match="wanted the training data to pass through it"):
        Steady().fit(np.zeros((4, 3)), np.zeros((4, 1)), verbose=0, callbacks=[ssd.Balance()])
    with pytest.raises(ValueError, match="got a ndarray"):
        ssd.Balance()(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="got a PyDataset with workers"):
        ssd.Balance()(Indexed(workers=2))


def test_another_data_than_passed_through_is_said():
    lines = []
    balance = ssd.Balance(say=lines.append)
    balance(as_dataset(6))
    Steady().fit(as_dataset(6), epochs=1, verbose=0, callbacks=[balance])
    assert lines == [
        "waiting for data is not measured: the data of this fit is not what has passed through"
    ]
