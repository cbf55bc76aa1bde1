"""Before the batch: labels on disk, and `tf.data` from them to batches. TensorFlow, no Keras."""
