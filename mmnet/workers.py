"""Training by many processes, a rank each, with Horovod.

    horovodrun -np 4 .venv/bin/python train.py FLAG…

Each rank takes a part of every batch. The ranks average their gradients, so all have the same
weights. Without horovodrun there is a single rank, and Horovod is not imported.
"""

import glob
import importlib.util
import itertools
import os
from typing import Any, List, NamedTuple, Optional

import tensorflow as tf

from mmnet.errors import UserError

# horovodrun tells its processes how many they are, by Gloo or by Open MPI.
SIZES = ('HOROVOD_SIZE', 'OMPI_COMM_WORLD_SIZE')
GPUS = 'CUDA_VISIBLE_DEVICES'
# The GPUs of a machine. TensorFlow, once asked for them, would keep them all.
GPU_DEVICES = '/dev/nvidia[0-9]*'
# What TensorFlow reports when another rank is gone.
LOST = 'Horovod'


class Ranks(NamedTuple):
    """The ranks of a run, seen from one of them.

    Attributes:
        rank: number of this one; rank 0 writes all files and prints.
        size: how many there are.
        local_rank, local_size: the same among those of this machine.
    """
    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def first(self) -> bool:
        """Whether this rank writes and prints."""
        return self.rank == 0

    def mean(self, tensor: tf.Tensor) -> tf.Tensor:
        """Averages a tensor over all ranks; every rank must compute it."""
        return self._reduced(tensor, 'Average')

    def largest(self, tensor: tf.Tensor) -> tf.Tensor:
        """Finds the largest value of a tensor on any rank; every rank must compute it."""
        return self._reduced(tensor, 'Max')

    def _reduced(self, tensor: tf.Tensor, operation: str) -> tf.Tensor:
        if self.size == 1:
            return tensor
        import horovod.tensorflow as hvd
        return hvd.allreduce(tensor, op=getattr(hvd, operation))

    def share(self, value: Any) -> Any:
        """Returns rank 0's value on every rank."""
        if self.size == 1:
            return value
        import horovod.tensorflow as hvd
        with tf.Graph().as_default(), tf.Session(config=self.session_config()) as session:
            # The default name is the value's type: ranks with values of two types would deadlock.
            return hvd.broadcast_object(value, root_rank=0, session=session, name='shared')

    def hooks(self) -> List[tf.train.SessionRunHook]:
        """Returns the hooks that broadcast rank 0's restored variables to every rank."""
        if self.size == 1:
            return []
        import horovod.tensorflow as hvd
        return [hvd.BroadcastGlobalVariablesHook(0)]

    def session_config(self) -> tf.ConfigProto:
        """Gives each rank its share of the machine's cores, and the GPU memory that it needs."""
        # Evaluation runs beside training, maybe on the same GPU: take only the memory needed.
        config = tf.ConfigProto(gpu_options=tf.GPUOptions(allow_growth=True))
        if not tf.config.experimental.list_physical_devices('GPU'):
            # Rewriting the graph takes 15 s before the first step, and no step is faster for it. On
            # a GPU it chooses the order of axes, which matters.
            config.graph_options.rewrite_options.disable_meta_optimizer = True
        if self.size > 1:
            threads = max(1, (os.cpu_count() or 1) // self.local_size)
            config.intra_op_parallelism_threads = threads
            # One more, because a rank that waits for the others holds a thread.
            config.inter_op_parallelism_threads = threads + 1
        return config


def start() -> Ranks:
    """Joins the other ranks if horovodrun started this process; assigns this rank its GPU.

    Raises:
        UserError: if Horovod is not installed, or built without what its launcher uses.
    """
    size = max(int(os.environ.get(name, 1)) for name in SIZES)
    if size == 1:
        return Ranks()
    if importlib.util.find_spec('horovod') is None:
        raise UserError('Horovod is not installed here; run scripts/setup.sh --horovod, or start '
                        'train.py without horovodrun')
    import horovod.tensorflow as hvd
    hvd.init()
    if hvd.size() != size:
        raise UserError(f'this Horovod finds {hvd.size()} workers of {size}, because it lacks its '
                        f'launcher\'s library; start with horovodrun --gloo')
    # Before TensorFlow looks for GPUs: all sessions of a process must see the same ones.
    os.environ[GPUS] = gpu_of(hvd.local_rank(), hvd.local_size(), os.environ.get(GPUS),
                              count_gpus())
    return Ranks(hvd.rank(), hvd.size(), hvd.local_rank(), hvd.local_size())


def count_gpus() -> int:
    """Counts this machine's GPUs; 0 if TensorFlow was built without CUDA."""
    return len(glob.glob(GPU_DEVICES)) if tf.test.is_built_with_cuda() else 0


def gpu_of(local_rank: int, local_size: int, visible: Optional[str], there: int = 0) -> str:
    """Chooses a rank's GPU.

    Args:
        local_rank, local_size: see `Ranks`.
        visible: CUDA_VISIBLE_DEVICES, a comma-separated list that ends before any `-1`; None if
            it is unset. A single GPU is taken as the launcher's choice for this rank.
        there: number of GPUs in the machine; 0 if unknown.

    Raises:
        UserError: for fewer GPUs than workers.
    """
    if visible is None:
        if 0 < there < local_size:
            raise UserError(f'this machine has {there} GPUs for {local_size} workers; start fewer '
                            f'workers, or hide the GPUs with {GPUS}=')
        return str(local_rank)
    gpus = list(itertools.takewhile(lambda name: name.strip() not in ('', '-1'),
                                    visible.split(',')))
    if len(gpus) == 1:
        return gpus[0]
    if gpus and len(gpus) < local_size:
        raise UserError(f'{GPUS}={visible}: names {len(gpus)} GPUs for {local_size} workers; start '
                        f'fewer workers or name more')
    return gpus[local_rank] if gpus else ''
