"""Runs an exported file on a fixed picture and writes its alpha; needs NumPy and LiteRT only.

    run_file.py MODEL.tflite ALPHA.npy RUNS
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def picture(size: int) -> np.ndarray:
    """Draws a face and shoulders before a gradient, with some noise: uint8 `[1, size, size, 3]`."""
    y, x = np.mgrid[:size, :size] / size
    shown = np.stack([x, y, 1 - x], axis=-1)
    shown[np.hypot((x - 0.5) / 0.45, (y - 1.05) / 0.42) < 1] = (0.2, 0.3, 0.6)
    shown[np.hypot((x - 0.5) / 0.17, (y - 0.4) / 0.23) < 1] = (0.8, 0.6, 0.5)
    noise = np.random.RandomState(0).uniform(-0.05, 0.05, shown.shape)
    return np.round(255 * (shown + noise).clip(0, 1)).astype(np.uint8)[np.newaxis]


def main() -> None:
    model, output, runs = sys.argv[1:]
    interpreter = Interpreter(model, num_threads=1)
    interpreter.allocate_tensors()
    taken, *memory = interpreter.get_input_details()
    image = picture(taken['shape'][1])
    interpreter.set_tensor(taken['index'], image if taken['dtype'] == np.uint8
                           else image / np.float32(255))
    # A network with a memory begins with an empty past.
    for other in memory:
        interpreter.set_tensor(other['index'], np.zeros(other['shape'], other['dtype']))
    for _ in range(int(runs)):
        interpreter.invoke()
    alpha = interpreter.get_tensor(interpreter.get_output_details()[0]['index'])
    np.save(output, alpha / np.float32(255) if alpha.dtype == np.uint8 else alpha)


if __name__ == '__main__':
    main()
