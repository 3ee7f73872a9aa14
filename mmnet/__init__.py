"""Real-time portrait matting for phones: networks, losses, metrics, training and export.

    import tensorflow as tf
    from mmnet import models

    images = tf.placeholder(tf.float32, [None, 256, 256, 3])
    logits, end_points = models.build('mmnet', images, is_training=False, width_multiplier=1.0)

Importing the package has no effects. Programs quiet TensorFlow with `mmnet.cli.starting`.
"""
