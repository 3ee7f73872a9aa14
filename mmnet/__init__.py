"""Portrait matting for phones: networks, training, metrics."""

import logging
import os
import warnings

# TensorFlow's own allocator keeps its large buffers instead of returning them to the system and
# having them zeroed again in every step: faster, and a lower peak.
os.environ.setdefault('TF_CPU_ALLOCATOR_USE_BFC', 'true')

# TensorFlow 1.15 greets every start with pages of deprecation notices, meant for its maintainers.
# They would bury the few lines that a run has to say.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
logging.getLogger('tensorflow').setLevel(logging.ERROR)
warnings.filterwarnings('ignore', category=FutureWarning, module='tensor(flow|board)')
