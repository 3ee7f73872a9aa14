"""The pretrained networks: MMNet-1.0 at two sizes. MODEL_CARD.md describes them.

    --model pretrained:mmnet_dm1.0_256_float32          an exported file
    --init_checkpoint pretrained:mmnet_dm1.0_128        a checkpoint to start from
"""

import os
from typing import List

from mmnet.errors import UserError

FOLDER = os.path.dirname(os.path.abspath(__file__))
PREFIX = 'pretrained:'
# The default of --model: the best network on the photos used for choosing settings.
DEFAULT = 'pretrained:mmnet_dm1.0_256_float32'


def names() -> List[str]:
    """Lists the exported files, without their extension, and the checkpoints' folders."""
    return sorted(name[:-len('.tflite')] if name.endswith('.tflite') else name
                  for name in os.listdir(FOLDER) if name.startswith('mmnet_'))


def find(path: str) -> str:
    """Returns the path of `pretrained:NAME`; any other path stays as it is.

    Raises:
        UserError: for a name that is not there.
    """
    if not path.startswith(PREFIX):
        return path
    name = path[len(PREFIX):]
    if name not in names():
        raise UserError(f'{path}: no such network; choose from '
                        f'{", ".join(PREFIX + each for each in names())}')
    place = os.path.join(FOLDER, name)
    return place if os.path.isdir(place) else place + '.tflite'
