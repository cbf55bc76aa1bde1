"""`anchors.match` does what the plain loops do, in every mode, and keeps its promise.

Most cases lie on a coarse binary grid (multiples of 1/64): areas are then exact, so that no
compiler rounds differently and a tie is a real tie.
"""

import functools

import keras
import ml_dtypes
import numpy as np
import pytest
import reference
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import anchors

pytestmark = pytest.mark.device

PHOTOS = 128  # cases in one call
# A failing call already names its photos, and making 128 of them simpler together takes minutes.
DRAWN = {"derandomize": True, "database": None, "phases": [Phase.generate]}


@functools.cache
def modes():
    """Ways to run `anchors.match`: name -> function of (anchors, boxes, ignore)."""

    def match(grid, boxes, ignore=None):
        return anchors.match(grid, boxes, ignore=ignore)

    if keras.backend.backend() == "jax":
        import jax

        return {"eager": match, "jit": jax.jit(match)}

    import tensorflow as tf

    @functools.cache
    def unknown_dimensions(count, dtype):
        return tf.function(
            match,
            input_signature=[
                tf.TensorSpec([count, 4], dtype),
                tf.TensorSpec([None, None, 4], dtype),
                tf.TensorSpec([None, None], "bool"),
            ],
        )

    return {
        "eager": match,
        "graph": lambda grid, *rest: unknown_dimensions(len(grid), grid.dtype.name)(grid, *rest),
        "xla": tf.function(match, jit_compile=True, autograph=False),
    }


def run(mode, grid, boxes, ignore=None):
    """The match as NumPy arrays."""
    if ignore is None:
        ignore = np.zeros(boxes.shape[:-1], bool)
    tensors = [keras.ops.convert_to_tensor(value) for value in (grid, boxes, ignore)]
    return anchors.Match(*map(keras.ops.convert_to_numpy, modes()[mode](*tensors)))


def expected(grid, boxes, ignore, overlaps=None):
    """The same from the loops, photo by photo; on these overlaps where given."""
    overlaps = [None] * len(boxes) if overlaps is None else overlaps.tolist()
    photos = [
        reference.match(grid.tolist(), rows.tolist(), ignore=regions.tolist(), overlaps=each)
        for rows, regions, each in zip(boxes, ignore, overlaps, strict=True)
    ]
    return anchors.Match(*(np.array(field) for field in zip(*_columns(photos), strict=True)))


def _columns(photos):
    return [list(zip(*photo, strict=True)) for photo in photos]


def draw(random, photos, rows, count, *, step=1, reach=63, dtype="float32"):
    """Anchors, boxes and regions to ignore, on a grid of `step` / 64.

    Photos differ in kind: some without boxes, some where every box is the same, some of few
    different boxes; rows of padding stand anywhere.
    """

    def some(*shape):
        low = random.integers(-16, 64, (*shape, 2))
        high = low + random.integers(-1, reach + 1, (*shape, 2))
        return np.concatenate([low, high], -1) // step * step / 64

    boxes = some(photos, rows)
    kind = random.integers(0, 8, photos)
    boxes[kind == 0] = 0
    boxes[kind == 1] = boxes[kind == 1, :1]
    pick = random.integers(0, min(2, rows), (photos, rows))
    few = np.take_along_axis(boxes, pick[..., None], axis=1)
    boxes = np.where((kind == 2)[:, None, None], few, boxes)
    boxes[random.random((photos, rows)) < 0.2] = 0
    ignore = (random.random((photos, rows)) < 0.2) & (kind > 4)[:, None]
    return some(count).astype(dtype), boxes.astype(dtype), ignore


def check_promise(grid, boxes, ignore, found):
    """Every box has an anchor of its own, or all it overlaps are held by boxes with more right."""
    grid, boxes = grid.astype("float32"), boxes.astype("float32")
    overlaps = keras.ops.convert_to_numpy(anchors.iou(boxes, grid))  # [photos, boxes, anchors]
    overlaps = np.where(ignore[..., None], 0, overlaps)
    assert np.isfinite(found.overlap).all()
    assert found.box.min(initial=0) >= 0
    assert found.box.max(initial=0) < max(boxes.shape[1], 1)
    assert not (found.positive & found.ignored).any()
    assert (found.box[found.overlap == 0] == 0).all()
    assert not found.positive[found.overlap == 0].any()  # padding and regions match nothing

    mine = found.box[:, None, :] == np.arange(boxes.shape[1])[:, None]  # [photos, boxes, anchors]
    mine &= found.positive[:, None, :]
    has_one = mine.any(-1)
    taken = found.positive[:, None, :] & ~mine & (found.overlap[:, None, :] >= overlaps - 1e-6)
    blocked = (taken | (overlaps == 0)).all(-1)
    assert (has_one | blocked).all()


@pytest.mark.parametrize(
    ("count", "rows", "dtype"),
    [
        (1, 3, "float32"),
        (5, 9, "float32"),
        (40, 4, "float16"),
        (65, 6, ml_dtypes.bfloat16),
        (129, 8, "float32"),
        (200, 12, "float32"),
    ],
)
@settings(max_examples=3, **DRAWN)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from([1, 4, 16]),
    reach=st.sampled_from([12, 63]),
)
def test_agrees_with_the_loops(count, rows, dtype, seed, step, reach):
    # 6 shapes x 3 draws x 128 photos are 2,304 cases in every mode.
    case = draw(
        np.random.default_rng(seed), PHOTOS, rows, count, step=step, reach=reach, dtype=dtype
    )
    wanted = expected(*(np.asarray(value, "float32") for value in case[:2]), case[2])
    for mode in modes():
        found = run(mode, *case)
        for field, got, want in zip(found._fields, found, wanted, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=f"{field}, {mode}")
        check_promise(*case, found)


ROUNDING = 8 * 2.0**-23  # eight units in the last place, as a share of the number


def alike(a, b):
    """Whether two overlaps are equal but for rounding."""
    return abs(a - b) <= ROUNDING * max(abs(a), abs(b))


def near_ties(random, photos, rows, count):
    """Free coordinates, where many overlaps are equal but for their last bits.

    Boxes are a few faces over and over, each side moved by a few units in its last place, and
    anchors are copies of each other likewise.
    """

    def some(*shape):
        low = random.random((*shape, 2))
        return np.concatenate([low, low + 0.05 + random.random((*shape, 2)) * 0.4], -1)

    def moved(boxes):
        steps = random.integers(-2, 3, boxes.shape)
        return (boxes * (1 + steps * 2.0**-23)).astype("float32")

    faces = some(photos, rows)
    faces[:, rows // 2 :] = faces[:, : rows - rows // 2]
    grid = np.repeat(some(-(-count // 3)), 3, axis=0)[:count]
    return moved(grid), moved(faces), random.random((photos, rows)) < 0.1


@settings(max_examples=4, **DRAWN)
@given(seed=st.integers(0, 2**32 - 1))
def test_free_coordinates(seed):
    """Exactly the rule on the overlaps of float32; those are the true ones but for rounding.

    So where the loops, on overlaps of their own, find something else, it begins at a tie.
    """
    grid, boxes, ignore = near_ties(np.random.default_rng(seed), 32, 10, 150)
    rounded = np.where(
        ignore[..., None], 0, keras.ops.convert_to_numpy(anchors.iou(boxes, grid))
    )  # [photos, boxes, anchors]
    true = np.array(
        [[[reference.iou(box, anchor) for anchor in grid.tolist()] for box in rows.tolist()]
         for rows in boxes]
    )  # fmt: skip
    true[ignore] = 0
    assert (abs(rounded - true) <= ROUNDING * true).all()

    wanted = expected(grid, boxes, ignore, rounded)
    for mode in modes():
        found = run(mode, grid, boxes, ignore)
        for field, got, want in zip(found._fields, found, wanted, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=f"{field}, {mode}")
        check_promise(grid, boxes, ignore, found)

    # The same said of what differs: the first pair taken otherwise, the best box, the threshold.
    other = expected(grid, boxes, ignore, true)
    assert (wanted.box != other.box).any()  # these cases do tell the two apart
    for photo, overlaps in enumerate(true):
        taken, taken_too = (reference.greedy(each[photo].tolist()) for each in (rounded, true))
        assert len(taken) == len(taken_too)
        for pair, pair_too in zip(taken, taken_too, strict=True):
            if pair != pair_too:
                assert alike(overlaps[pair], overlaps[pair_too])
                break
        held = {anchor for _, anchor in taken + taken_too}
        for anchor in set(range(len(grid))) - held:
            one, two = wanted.box[photo, anchor], other.box[photo, anchor]
            assert alike(overlaps[one, anchor], overlaps[two, anchor])
            for kind, threshold in (("positive", 0.5), ("ignored", 0.4)):
                if getattr(wanted, kind)[photo, anchor] != getattr(other, kind)[photo, anchor]:
                    best = overlaps[one, anchor]
                    assert alike(best, 0.5) or alike(best, threshold)


def test_a_crowd():
    # Many boxes on few tiles of anchors: long chains of refusals, more boxes than anchors.
    random = np.random.default_rng(5)
    grid, boxes, ignore = draw(random, 4, 90, 80, step=8)
    boxes[0] = boxes[0, 1] = [0.25, 0.25, 0.75, 0.75]
    wanted = expected(grid, boxes, ignore)
    for mode in modes():
        for got, want in zip(run(mode, grid, boxes, ignore), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


def test_many_anchors():
    random = np.random.default_rng(6)
    grid, boxes, ignore = draw(random, 2, 10, 5000)  # more than one part of tiles
    wanted = expected(grid, boxes, ignore)
    for mode in modes():
        for got, want in zip(run(mode, grid, boxes, ignore), wanted, strict=True):
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("shape", [(2, 0, 4), (0, 3, 4), (0, 0, 4)])
def test_nothing_to_match(shape):
    grid = draw(np.random.default_rng(0), 1, 1, 7)[0]
    for mode in modes():
        found = run(mode, grid, np.zeros(shape, "float32"))
        assert found.box.shape == (shape[0], 7)
        assert not found.positive.any()
        assert not found.ignored.any()
        assert not found.overlap.any()


def test_any_batch_axes():
    random = np.random.default_rng(1)
    grid, boxes, ignore = draw(random, 6, 5, 33)
    wanted = anchors.match(grid, boxes, ignore=ignore)
    nested = anchors.match(grid, boxes.reshape(2, 3, 5, 4), ignore=ignore.reshape(2, 3, 5))
    single = anchors.match(grid, boxes[4], ignore=ignore[4])
    for want, many, one in zip(wanted, nested, single, strict=True):
        want = keras.ops.convert_to_numpy(want)
        np.testing.assert_array_equal(np.asarray(many), want.reshape(2, 3, 33))
        np.testing.assert_array_equal(np.asarray(one), want[4])


def test_padding_rows_change_nothing():
    random = np.random.default_rng(2)
    grid, boxes, _ = draw(random, 8, 5, 60)
    padded = np.concatenate([boxes, np.zeros((8, 95, 4), "float32")], axis=1)
    for got, want in zip(anchors.match(grid, padded), anchors.match(grid, boxes), strict=True):
        np.testing.assert_array_equal(np.asarray(got), np.asarray(want))


def test_degenerate_boxes_match_nothing():
    grid = np.array([[0, 0, 1, 1], [0, 0, 0, 0], [0.5, 0.5, 0.5, 1]], "float32")
    boxes = np.array(
        [[[0, 0, 0, 0], [0.5, 0, 0.5, 1], [1, 1, 0, 0], [np.nan, 0, 1, 1], [2, 2, 3, 3]]], "float32"
    )
    for mode in modes():
        found = run(mode, grid, boxes)
        assert not found.positive.any()
        assert not found.overlap.any()


def test_thresholds():
    # Overlaps with the box: 1/2 (its own by the lowest index), 1/2, 1/4, 0.
    box = [[0.0, 0.0, 1.0, 0.5]]
    grid = [
        [0.0, 0.0, 1.0, 1.0],
        [0.0, 0.0, 1.0, 0.25],
        [0.0, 0.0, 1.0, 0.125],
        [0.0, 0.5, 1.0, 1.0],
    ]

    def kinds(**thresholds):
        found = anchors.match(grid, box, **thresholds)
        pairs = zip(np.asarray(found.positive), np.asarray(found.ignored), strict=True)
        return ["positive" if p else "ignored" if i else "background" for p, i in pairs]

    assert kinds() == ["positive", "positive", "background", "background"]
    assert kinds(positive_iou=0.75, negative_iou=0.25) == [
        "positive",
        "ignored",
        "ignored",
        "background",
    ]
    assert kinds(positive_iou=0.75, negative_iou=0.5) == [
        "positive",
        "ignored",
        "background",
        "background",
    ]
    # A region on the same place covers all but half of the first and none of the last.
    found = anchors.match(grid, box, ignore=[True])
    assert np.asarray(found.positive).tolist() == [False] * 4
    assert np.asarray(found.ignored).tolist() == [True, True, True, False]


def test_no_gradient_and_no_nan():
    """An image without boxes: no positive, and a loss whose value and gradient are finite."""
    grid = draw(np.random.default_rng(3), 1, 1, 20)[0]
    offsets = keras.ops.convert_to_tensor(np.full((2, 20, 4), 0.5, "float32"))
    boxes = keras.ops.convert_to_tensor(np.zeros((2, 3, 4), "float32"))

    def loss(offsets, boxes):
        found = anchors.match(grid, boxes)
        targets = anchors.encode(
            keras.ops.take_along_axis(boxes, found.box[..., None], axis=1), grid
        )
        wrong = keras.ops.sum(keras.ops.square(offsets - targets), axis=-1)
        weight = keras.ops.cast(found.positive, "float32")
        return keras.ops.sum(wrong * weight) + keras.ops.sum(found.overlap)

    if keras.backend.backend() == "jax":
        import jax

        value, gradients = jax.value_and_grad(loss, argnums=(0, 1))(offsets, boxes)
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([offsets, boxes])
            value = loss(offsets, boxes)
        gradients = tape.gradient(value, [offsets, boxes])
    assert float(value) == 0
    for gradient in gradients:
        assert (keras.ops.convert_to_numpy(gradient) == 0).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="reads TensorFlow's graph")
def test_a_tensorflow_graph_leaves_it_to_xla_and_knows_its_shapes():
    import tensorflow as tf

    @tf.function
    def graph(boxes):
        return anchors.match(np.zeros((5, 4), "float32"), boxes)

    traced = graph.get_concrete_function(tf.TensorSpec((None, 3, 4)))
    assert traced.structured_outputs.overlap.shape.as_list() == [None, 5]
    attributes = [operation.node_def.attr for operation in traced.graph.get_operations()]
    assert any(attribute["_XlaMustCompile"].b for attribute in attributes)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="reads JAX's intermediate code")
def test_memory_never_holds_all_pairs():
    import jax

    photos, rows, count = 4, 64, 2048
    boxes, grid = np.zeros((photos, rows, 4), "float32"), np.zeros((count, 4), "float32")
    code = jax.make_jaxpr(lambda grid, boxes: anchors.match(grid, boxes))(grid, boxes)
    assert _largest(code.jaxpr) <= photos * rows * count / 8


def _largest(code):
    """Elements in the largest value anywhere in JAX's intermediate code."""
    sizes = [value.aval.size for step in code.eqns for value in step.outvars]
    for step in code.eqns:
        for inner in step.params.values():
            if hasattr(inner, "jaxpr"):
                sizes.append(_largest(inner.jaxpr))
    return max(sizes, default=0)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"anchors": np.zeros((2, 5))}, r"anchors of shape \[anchors, 4\].*\(2, 5\)"),
        ({"anchors": np.zeros((0, 4))}, "one or more"),
        ({"boxes": np.zeros(4)}, r"boxes of shape \[..., boxes, 4\].*\(4,\)"),
        ({"boxes": np.zeros((2, 5))}, r"got \(2, 5\)"),
        ({"positive_iou": 0.3}, "negative_iou 0.4 and positive_iou 0.3"),
        ({"positive_iou": 0, "negative_iou": 0}, "positive_iou above 0"),
        ({"positive_iou": float("nan")}, "nan"),
        ({"ignore": [True]}, r"ignore of shape \(3,\).*\(1,\)"),
    ],
)
def test_bad_input(changed, message):
    good = {"anchors": np.zeros((2, 4)), "boxes": np.zeros((3, 4))}
    with pytest.raises(ValueError, match=message):
        anchors.match(**{**good, **changed})
