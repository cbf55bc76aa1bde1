"""On the device: the model, its loss and its layers. `keras.ops`, no TensorFlow."""
