"""Runs files in LiteRT: `litert_worker.py IN.npz OUT.npz default|builtin FILE…`; not a test itself.

It runs in .venv-litert. IN holds `inputs`, a batch of what the files take; OUT gets the files'
outputs as real numbers, by their position.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

RESOLVERS = {'default': OpResolverType.AUTO,
             'builtin': OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


def main(source, target, resolver, paths):
    outputs = {}
    inputs = np.load(source)['inputs']
    for index, path in enumerate(paths):
        interpreter = Interpreter(path, num_threads=1,
                                  experimental_op_resolver_type=RESOLVERS[resolver])
        interpreter.allocate_tensors()
        details, = interpreter.get_input_details()
        result, = interpreter.get_output_details()
        rows = []
        for row in inputs:
            if details['dtype'] == np.float32:
                row = row.astype(np.float32) / 255
            interpreter.set_tensor(details['index'], row[np.newaxis].astype(details['dtype']))
            interpreter.invoke()
            row = interpreter.get_tensor(result['index'])[0].astype(np.float64)
            if result['dtype'] != np.float32:
                scale, zero_point = result['quantization']
                row = scale * (row - zero_point)
            rows.append(row)
        outputs[str(index)] = np.stack(rows)
    np.savez(target, **outputs)


if __name__ == '__main__':
    main(*sys.argv[1:4], sys.argv[4:])
