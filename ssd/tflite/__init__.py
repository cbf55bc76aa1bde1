"""From a trained model to a `.tflite` file that says what it is."""
