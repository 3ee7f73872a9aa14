"""Runs files in MediaPipe: `mediapipe_worker.py IN.npy OUT.npz FILE…`; not a test itself.

It runs in .venv-mediapipe. IN is a photo, uint8 RGB; OUT gets each file's confidence mask, category
mask and labels, by their position.
"""

import sys

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions
from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions


def main(source, target, paths):
    photo = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.load(source))
    results = {}
    for index, path in enumerate(paths):
        options = ImageSegmenterOptions(base_options=BaseOptions(model_asset_path=path),
                                        output_confidence_masks=True, output_category_mask=True)
        with ImageSegmenter.create_from_options(options) as segmenter:
            result = segmenter.segment(photo)
            confidence, = result.confidence_masks
            # Views end with the segmenter.
            results[f'confidence{index}'] = np.squeeze(confidence.numpy_view()).copy()
            results[f'category{index}'] = np.squeeze(result.category_mask.numpy_view()).copy()
            results[f'labels{index}'] = np.array(segmenter.labels)
    np.savez(target, **results)


if __name__ == '__main__':
    main(*sys.argv[1:3], sys.argv[3:])
