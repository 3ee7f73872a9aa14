"""Rearranges linear layers into the form that runs fastest; results are equal up to rounding.

This is for float files: 8-bit rounding happens between the layers that it merges or splits. Times
are MMNet-1.0's at 256×256 in LiteRT's XNNPACK on x86, one thread (scripts/benchmark_tflite.py).
"""

import dataclasses
from typing import List, Optional

from mmnet.tflite.layers import Layer, LayerGraph, Value, split_conv

# Cells of a map whose sum is safe in half precision, for values up to 255.
LARGEST_SUM = 256


def rearrange(network: LayerGraph) -> LayerGraph:
    """Applies all rearrangements of this file."""
    for step in (split_branches, merge_linear_layers, sum_instead_of_concatenating,
                 average_in_steps):
        network = step(network)
    return network


def split_branches(network: LayerGraph) -> LayerGraph:
    """Replaces a wide convolution and a SPLIT, which copies, by one for each branch (−3 %)."""
    layers = list(network.layers)
    for split in network.layers:
        if split.kind != 'SPLIT':
            continue
        wide = network.producer(split.inputs[0])
        if wide.kind != 'CONV_2D' or len(network.consumers(wide.output)) > 1:
            continue
        _replace(layers, [wide, split], split_conv(wide, split.outputs))
    return dataclasses.replace(network, layers=layers)


def merge_linear_layers(network: LayerGraph) -> LayerGraph:
    """Merges two 1×1 convolutions without an activation between them if that is less work (−3 %).

    This merges decoder 3 into the linear bottleneck of the last enhancement block.
    """
    layers = list(network.layers)
    for second in network.layers:
        first = _linear_source(network, second)
        if first is None:
            continue
        inner, outer = first.weights[0, 0], second.weights[0, 0]
        product = inner.dot(outer)
        if product.size >= inner.size + outer.size:
            continue
        merged = Layer('CONV_2D', first.inputs, second.outputs, product[None, None])
        merged.bias = first.bias.dot(outer) + second.bias
        merged.activation = second.activation
        _replace(layers, [first, second], [merged])
    return dataclasses.replace(network, layers=layers)


def sum_instead_of_concatenating(network: LayerGraph) -> LayerGraph:
    """Replaces a 1×1 convolution of concatenated parts by the sum of one for each part (−13 %).

    The sums have fewer channels than the concatenation would copy.
    """
    layers = list(network.layers)
    for concatenation in network.layers:
        readers = network.consumers(concatenation.outputs[0])
        if concatenation.kind != 'CONCATENATION' or len(readers) != 1 or \
                not _is_pointwise(readers[0]):
            continue
        convolution, = readers
        _replace(layers, [concatenation, convolution], _sum_of_terms(concatenation, convolution))
    return dataclasses.replace(network, layers=layers)


def average_in_steps(network: LayerGraph) -> LayerGraph:
    """Replaces the mean of a large map by a cascade of averages over 2×2.

    A GPU sums float16 values before it divides, and float16 overflows above 65,504, as the sums of
    MODNet's instance norm would.
    """
    layers = list(network.layers)
    for mean in network.layers:
        if mean.kind != 'MEAN':
            continue
        source, steps = mean.inputs[0], []
        _, height, width, channels = source.shape
        while height * width > LARGEST_SUM and height % 2 == width % 2 == 0:
            height, width = height // 2, width // 2
            halved = Value(f'{mean.output.name}/average_{height}', (1, height, width, channels))
            steps.append(Layer('AVERAGE_POOL_2D', [source], [halved], stride=2))
            source = halved
        if steps:
            _replace(layers, [mean], [*steps, Layer('MEAN', [source], mean.outputs)])
    return dataclasses.replace(network, layers=layers)


def _sum_of_terms(concatenation: Layer, convolution: Layer) -> List[Layer]:
    """Makes a convolution for each concatenated part, and the additions after them."""
    layers: List[Layer] = []
    start, total = 0, None
    for part in concatenation.inputs:
        end = start + part.shape[3]
        term = Layer('CONV_2D', [part], [_like(convolution.output, 'term', len(layers))],
                     convolution.weights[:, :, start:end])
        layers.append(term)
        if total is None:
            term.bias = convolution.bias
            total = term.output
        else:
            addition = Layer('ADD', [total, term.output],
                             [_like(convolution.output, 'sum', len(layers))])
            layers.append(addition)
            total = addition.output
        start = end
    layers[-1].outputs = [convolution.output]
    layers[-1].activation = convolution.activation
    return layers


def _linear_source(network: LayerGraph, layer: Layer) -> Optional[Layer]:
    """Finds the 1×1 convolution without activation that only a 1×1 convolution reads."""
    if not _is_pointwise(layer) or layer.inputs[0] is network.input:
        return None
    source = network.producer(layer.inputs[0])
    if not _is_pointwise(source) or source.activation != 'NONE' or \
            len(network.consumers(source.output)) > 1:
        return None
    return source


def _is_pointwise(layer: Layer) -> bool:
    return (layer.kind == 'CONV_2D' and layer.weights.shape[:2] == (1, 1) and layer.stride == 1)


def _like(value: Value, role: str, index: int) -> Value:
    return Value(f'{value.name}/{role}_{index}', value.shape)


def _replace(layers: List[Layer], old: List[Layer], new: List[Layer]) -> None:
    """Puts new layers at the place of the last old one, where all their inputs are known."""
    position = layers.index(old[-1])
    layers[position:position + 1] = new
    for layer in old[:-1]:
        layers.remove(layer)
