"""From a trained network to a `.tflite` file: trace, choose the softmax, encode, write, check.

    exported = export(checkpoint, hparams.read(train_dir), 256, 'int8', 'logistic')
    open('model.tflite', 'wb').write(exported.content)

`trace` reads the graph into `layers`, `softmax` and `rearrange` change them, `encode` turns them
into tensors and operators, and `flatbuffer` writes the file. `check` compares it with the graph.
"""
