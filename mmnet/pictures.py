"""Pictures for TensorBoard."""

import tensorflow as tf

BACKDROP = (0.16, 0.62, 0.35)


def strip(images: tf.Tensor, alphas: tf.Tensor, alphas_gt: tf.Tensor) -> tf.Tensor:
    """A row an example: input, alpha, ground truth, and the person on a plain colour.

    Args:
        images: RGB in [0, 1], `[N, H, W, 3]`.
        alphas, alphas_gt: in [0, 1], `[N, H, W, 1]`.

    Returns:
        uint8 `[1, N * H, 4 * W, 3]`.
    """
    composites = images * alphas + BACKDROP * (1 - alphas)
    rows = tf.concat([images, tf.tile(alphas, [1, 1, 1, 3]), tf.tile(alphas_gt, [1, 1, 1, 3]),
                      composites], axis=2)
    return tf.image.convert_image_dtype(tf.reshape(rows, [1, -1, rows.shape[2].value, 3]), tf.uint8,
                                        saturate=True)
