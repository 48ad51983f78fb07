"""From a bundle to answers, with ONNX Runtime alone."""
