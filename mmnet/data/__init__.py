"""The batch path, from files to batches: pairs, decoding, augmentation, the tf.data pipeline."""
