"""Files to batches: finding pairs, decoding, augmentation, the tf.data pipeline."""
