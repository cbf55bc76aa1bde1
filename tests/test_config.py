import dataclasses

import pytest

from ssd.config import Config


def test_json_round_trip_keeps_every_field():
    config = Config(
        image_size=(128, 160),
        classes=("face", "smile"),
        width_multiplier=0.5,
        anchor_sizes=((10, 20), (40,), (80, 120)),
        anchor_aspect=1.0,
        max_boxes=7,
        min_face=4.0,
        positive_iou=0.6,
        negative_iou=0.3,
    )
    assert Config.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("field", "value", "wanted"),
    [
        ("image_size", (250, 256), "multiples of 32"),
        ("image_size", 256, "multiples of 32"),
        ("image_size", (0, 256), "multiples of 32"),
        ("image_size", (10**9 // 32 * 32, 64), "multiples of 32 up to 4096"),
        ("max_boxes", 10**9, "an integer from 1 to 10000"),
        ("classes", (), "different names"),
        ("classes", ("face", "face"), "different names"),
        ("classes", "face", "different names"),
        ("backbone", "no name", "alexnet, darknet, mobilenet, resnet, or the name of a registered"),
        ("backbone", None, "alexnet"),
        ("width_multiplier", 0, "(0, 4]"),
        ("width_multiplier", float("nan"), "(0, 4]"),
        ("anchor_sizes", (), "1 to 6 lists"),
        ("anchor_sizes", ((), (), ()), "not all of them empty"),
        ("anchor_sizes", ((16,), (-1,), (64,)), "1 to 6 lists"),
        ("anchor_sizes", ((16,),) * 7, "1 to 6 lists"),
        ("anchor_aspect", 0, "0.1 to 10"),
        ("fine_blocks", 0, "integer from 1 to 16"),
        ("fine_blocks", True, "integer from 1 to 16"),
        ("max_boxes", 0, "integer from 1 to 10000"),
        ("max_boxes", True, "integer from 1 to 10000"),
        ("min_face", -1, "0 or more"),
        ("min_face", 10**400, "0 or more"),
        ("positive_iou", 1.5, "(0, 1]"),
        ("negative_iou", 0.9, "from 0 to positive"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(field, value, wanted):
    with pytest.raises(ValueError, match=f"Config.{field}") as caught:
        Config(**{field: value})
    assert wanted in str(caught.value)
    assert repr(value) in str(caught.value)


def test_an_unknown_field_is_refused_and_the_nearest_one_named():
    with pytest.raises(ValueError, match="unknown field 'image_sise'; did you mean 'image_size'"):
        Config.from_json('{"image_sise": [256, 256]}')


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null"])
def test_text_that_is_no_config_is_refused(text):
    with pytest.raises(ValueError, match="Config: wanted"):
        Config.from_json(text)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().width_multiplier = 1.0


def test_feature_shapes_and_anchor_shapes():
    config = Config(image_size=(64, 128), anchor_sizes=((16,), (32,), (64,)), anchor_aspect=4.0)
    assert config.feature_shapes == ((8, 16), (4, 8), (2, 4))
    # Size 16 and aspect 4 make 32 × 8 px; on a 64 × 128 input that is 1/2 × 1/16.
    assert config.anchor_shapes[0] == ((0.5, 0.0625),)


@pytest.mark.parametrize(
    ("photo", "fitted"),
    [
        ((480, 640), (192, 256)),
        ((640, 480), (256, 192)),
        ((256, 256), (256, 256)),
        ((100, 100), (256, 256)),
        ((1, 1000), (1, 256)),
        ((1000, 1), (256, 1)),
        ((3, 7), (110, 256)),
    ],
)
def test_a_photo_keeps_its_aspect_and_fills_one_side(photo, fitted):
    assert Config(image_size=(256, 256)).fit(*photo) == fitted
