"""Runs exported files: pixels in, alphas out; in LiteRT or in TensorFlow 1.15's interpreter.

    predictor = Interpreter('model.tflite')
    alpha = predictor.alpha(image)

This module needs neither TensorFlow nor LiteRT until a file is loaded.
"""

import atexit
import contextlib
import faulthandler
import importlib.util
import multiprocessing
import os
import sys
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

import numpy as np

from mmnet.errors import UserError

# The packages that the runtimes are in: LiteRT's Interpreter, its CompiledModel, TensorFlow 1.15.
PACKAGES = {'litert': 'ai_edge_litert', 'litert_compiled': 'ai_edge_litert',
            'tensorflow': 'tensorflow'}
# Loading a file and running it once takes a second at most; a damaged one may never end.
TRIAL_SECONDS = 60


class Predictor(NamedTuple):
    """A network that is ready to run.

    Attributes:
        size: side of the square that it takes, in pixels.
        alpha: takes uint8 RGB `[S, S, 3]`, returns float32 `[S, S, 1]` in [0, 1]. With a memory,
            it also takes what it returned for the frame before; without that, the past is empty.
        remembers: whether it has a memory.
    """
    size: int
    alpha: Callable[..., np.ndarray]
    remembers: bool = False


def following(predictor: Predictor) -> Predictor:
    """Makes a predictor for the frames of a video in turn; use one for each video.

    A network with a memory is given its own last alpha. The others stay as they are.
    """
    if not predictor.remembers:
        return predictor
    last: Optional[np.ndarray] = None

    def alpha(image: np.ndarray) -> np.ndarray:
        nonlocal last
        last = predictor.alpha(image, last)
        return last
    return Predictor(predictor.size, alpha)


def as_bytes(alpha: Optional[np.ndarray], size: int) -> np.ndarray:
    """Rounds an alpha in [0, 1] to uint8 `[size, size, 1]`; None is an empty one."""
    if alpha is None:
        return np.zeros([size, size, 1], np.uint8)
    return np.round(255 * alpha).astype(np.uint8)


def installed(runtime: str) -> bool:
    """Returns whether a runtime, a key of `PACKAGES`, is installed in this environment."""
    return importlib.util.find_spec(PACKAGES[runtime]) is not None


def is_exported_file(path: str) -> bool:
    """Returns whether a network is an exported file, not a checkpoint or a train directory."""
    return os.path.isfile(path) and not path.endswith(('.index', '.meta'))


class Loaded(NamedTuple):
    """A file that a runtime has loaded.

    Attributes:
        inputs: what the file takes, the image and maybe the previous alpha: `shape` and `dtype`.
        run: takes arrays like the inputs and returns the alpha, float32 or uint8.
    """
    inputs: List[Dict[str, Any]]
    run: Callable[[List[np.ndarray]], np.ndarray]


class Interpreter:
    """An exported file in a runtime.

    A damaged file can crash the interpreter. So an unknown file is first tried in a child process,
    whose crash does not end the program.

    Attributes:
        size: side of the square that the file takes, in pixels.
        remembers: whether it also takes the previous alpha.
        loaded: what the file takes and returns.

    Args:
        path: of the file.
        runtime: a key of `PACKAGES`; None takes LiteRT where it is installed, or else TensorFlow.
        trusted: the file was just written by this program and needs no trial.

    Raises:
        UserError: if the file cannot be run or takes anything but square photos.
    """

    def __init__(self, path: str, runtime: Optional[str] = None, trusted: bool = False):
        runtime = runtime or ('litert' if installed('litert') else 'tensorflow')
        if not trusted:
            _try(path, runtime)
        self.loaded = _load(path, runtime)
        self.size = int(self.loaded.inputs[0]['shape'][1])
        self.remembers = len(self.loaded.inputs) > 1

    def predictor(self) -> Predictor:
        """Returns the file as a network that is ready to run."""
        return Predictor(self.size, self.alpha, self.remembers)

    def alpha(self, image: np.ndarray, previous: Optional[np.ndarray] = None) -> np.ndarray:
        """Computes the alpha of an image.

        Args:
            image: uint8 RGB `[S, S, 3]`.
            previous: the last frame's alpha, float32 `[S, S, 1]` in [0, 1], for a network with a
                memory; None for an empty past.

        Returns:
            float32 `[S, S, 1]` in [0, 1].
        """
        taken = [image, as_bytes(previous, self.size)][:len(self.loaded.inputs)]
        if self.loaded.inputs[0]['dtype'] == np.float32:
            taken = [each.astype(np.float32) * np.float32(1 / 255) for each in taken]
        alpha = self.loaded.run([each[np.newaxis] for each in taken])[0]
        if alpha.dtype == np.float32:
            return alpha
        # The file counts in steps of 1/256 and cannot store 1. In a matte, the byte 255 is 1.
        return alpha * np.float32(1 / 255)


def _interpreter_of(path: str, runtime: str) -> Any:
    if runtime == 'tensorflow':
        import tensorflow as tf
        # This interpreter has no `num_threads`.
        return tf.lite.Interpreter(model_path=path)
    from ai_edge_litert.interpreter import Interpreter as LiteRTInterpreter
    return LiteRTInterpreter(model_path=path, num_threads=os.cpu_count())


def _interpreted(interpreter: Any, inputs: List[Dict[str, Any]],
                 alpha: Dict[str, Any]) -> Callable[[List[np.ndarray]], np.ndarray]:
    """Makes the function that runs an interpreter."""
    def run(taken: List[np.ndarray]) -> np.ndarray:
        for details, values in zip(inputs, taken):
            interpreter.set_tensor(details['index'], values)
        interpreter.invoke()
        return interpreter.get_tensor(alpha['index'])
    return run


def _compiled(path: str, inputs: List[Dict[str, Any]],
              alpha: Dict[str, Any]) -> Callable[[List[np.ndarray]], np.ndarray]:
    """Makes the function that runs a file in LiteRT's CompiledModel."""
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, Options
    model = CompiledModel.from_file(path, options=Options(
        hardware_accelerators=HardwareAccelerator.CPU,
        cpu_options=CpuOptions(num_threads=os.cpu_count())))
    buffers = model.create_input_buffers(0)
    made, = model.create_output_buffers(0)

    def run(taken: List[np.ndarray]) -> np.ndarray:
        for buffer, values in zip(buffers, taken):
            buffer.write(values)
        model.run_by_index(0, buffers, [made])
        return made.read(int(np.prod(alpha['shape'])), alpha['dtype']).reshape(alpha['shape'])
    # It reports what it sets up in its first run, and at exit what it frees.
    run(_zeros(inputs))
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))
    return run


def _load(path: str, runtime: str) -> Loaded:
    """Loads a file and checks what it takes and returns."""
    try:
        with _quiet():
            interpreter = _interpreter_of(path, runtime)
            interpreter.allocate_tensors()
            inputs = interpreter.get_input_details()
            alpha, = interpreter.get_output_details()
            # CompiledModel does not tell how bytes are scaled; the interpreter does.
            run = (_compiled(path, inputs, alpha) if runtime == 'litert_compiled'
                   else _interpreted(interpreter, inputs, alpha))
    except (ValueError, RuntimeError, MemoryError) as error:
        reason = str(error).split('\n')[0]
        raise UserError(f'{path}: cannot be run as a .tflite file ({reason})')
    *taken, returned = (np.atleast_1d(each['shape']).tolist() for each in (*inputs, alpha))
    image = taken[0] if taken else []
    if len(image) != 4 or image != [1, image[1], image[1], 3] or returned != image[:3] + [1] or \
            taken[1:] not in ([], [returned]):
        raise UserError(f'{path}: takes {", ".join(map(str, taken))} and returns {returned}; a '
                        f'file of export_tflite.py takes one square photo and returns its alpha')
    kinds = [each['dtype'] for each in inputs]
    if {*kinds, alpha['dtype']} - {np.float32, np.uint8} or len({*kinds}) > 1:
        names = ', '.join(str(np.dtype(kind)) for kind in kinds)
        raise UserError(f'{path}: takes {names} and returns {np.dtype(alpha["dtype"])}; a file of '
                        f'export_tflite.py has float32 or uint8')
    return Loaded(inputs, run)


def _zeros(inputs: List[Dict[str, Any]]) -> List[np.ndarray]:
    return [np.zeros(each['shape'], each['dtype']) for each in inputs]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discards what a runtime itself prints; what goes wrong comes as an exception."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _try(path: str, runtime: str) -> None:
    """Loads a file and runs it once in a child process.

    Raises:
        UserError: if either fails.
    """
    # A forked child starts at once. The runtimes' threads do not exist before their first use.
    context = multiprocessing.get_context('fork')
    report = context.SimpleQueue()
    child = context.Process(target=_run_once, args=(path, runtime, report), daemon=True)
    child.start()
    child.join(TRIAL_SECONDS)
    if child.exitcode is None:
        child.kill()
        child.join()
        raise UserError(f'{path}: did not finish within {TRIAL_SECONDS} s and is probably damaged; '
                        f'export it again')
    if not report.empty():
        raise UserError(report.get())
    if child.exitcode:
        raise UserError(f'{path}: crashes the interpreter and is probably damaged; export it again')


def _run_once(path: str, runtime: str, report) -> None:
    # A crash is reported by its exit status; what it prints would only frighten.
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        loaded = _load(path, runtime)
        loaded.run(_zeros(loaded.inputs))
    except UserError as error:
        report.put(str(error))
    except (ValueError, RuntimeError, MemoryError) as error:
        reason = str(error).split('\n')[0]
        report.put(f'{path}: cannot be run as a .tflite file ({reason})')
