"""TFLite's standard model metadata, inside the file: its input, its output, its origin."""

import flatbuffers
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema
from tensorflow_lite_support.metadata.python.metadata import MetadataDisplayer, MetadataPopulator

from mmnet.hparams import HParams


def add(content: bytes, hparams: HParams, step: int, image_size: int, precision: str,
        io: str) -> bytes:
    """Adds metadata to a file.

    Args:
        content: of a `.tflite` file.
        hparams: of the network.
        step: of the training.
        image_size: side of the square that the file takes.
        precision: `float32`, `uint8` or `int8`.
        io: what the file takes and returns, `float32` or `uint8`.

    Returns:
        the file's new content.
    """
    size = f'{image_size}×{image_size}'
    network = hparams.to_json()['network']
    described = ', '.join(f'{name} {value}' for name, value in sorted(network.items()))
    model = schema.ModelMetadataT()
    model.name = f'{hparams.model} portrait matting'
    model.version = f'step {step}'
    model.description = (f'Alpha matte of a portrait, {size}, {precision}; {described}; '
                         f'training step {step}')

    image = schema.TensorMetadataT()
    image.name = 'image'
    image.content = schema.ContentT()
    image.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    image.content.contentProperties = schema.ImagePropertiesT()
    image.content.contentProperties.colorSpace = schema.ColorSpaceType.RGB
    # Floats are (pixel − mean) / std. The scale of bytes, 1/255, does the same.
    image.processUnits = [_normalization(0.0, 255.0)]
    if io == 'float32':
        image.description = f'RGB, {size}, 0 to 1: pixels divided by 255'
        image.stats = _stats(0.0, 1.0)
    else:
        image.description = f'RGB, {size}, pixels 0 to 255 as they are'
        image.stats = _stats(0.0, 255.0)

    alpha = schema.TensorMetadataT()
    alpha.name = 'alpha'
    scaled = '' if io == 'float32' else ' by its scale'
    alpha.description = f'how far each pixel belongs to the person, {size}, 0 to 1{scaled}'
    alpha.stats = _stats(0.0, 1.0)

    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [image], [alpha]
    model.subgraphMetadata = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), MetadataPopulator.METADATA_FILE_IDENTIFIER)
    populator = MetadataPopulator.with_model_buffer(content)
    populator.load_metadata_buffer(builder.Output())
    populator.populate()
    return bytes(populator.get_model_buffer())


def read(content: bytes) -> str:
    """Reads the metadata of a file as JSON.

    Raises:
        ValueError: if it has none.
    """
    return MetadataDisplayer.with_model_buffer(content).get_metadata_json()


def _normalization(mean: float, std: float) -> schema.ProcessUnitT:
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = schema.NormalizationOptionsT()
    unit.options.mean, unit.options.std = [mean], [std]
    return unit


def _stats(low: float, high: float) -> schema.StatsT:
    stats = schema.StatsT()
    stats.min, stats.max = [low], [high]
    return stats
