"""From a trained model to an ONNX file that says what it is."""
