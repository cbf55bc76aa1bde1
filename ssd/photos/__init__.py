"""Photos and their annotations as files: read, resized, put into the input. No TensorFlow."""
