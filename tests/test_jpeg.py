import numpy as np
import pytest
import tensorflow as tf

from ssd.data import jpeg

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize("mode", ["eager", "tf.data"])
def test_lower_quality_does_more_damage_and_none_does_none(mode):
    def damaged(quality):
        if mode == "eager":
            return jpeg.recompress(IMAGE, quality).numpy()
        photos = tf.data.Dataset.from_tensors((IMAGE, quality)).map(jpeg.recompress)
        return next(iter(photos)).numpy()

    def error(quality):
        image = damaged(quality)
        assert image.shape == IMAGE.shape
        assert image.dtype == np.uint8
        return np.abs(image.astype(float) - IMAGE).mean()

    np.testing.assert_array_equal(damaged(0), IMAGE)
    assert 1 < error(75) < error(40) < error(15)
