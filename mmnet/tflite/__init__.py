"""From a trained network to a `.tflite` file: trace, choose the softmax, encode, write, check."""
