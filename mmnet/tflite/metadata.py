"""TFLite's standard model metadata, inside the file: its input, its output, its origin.

MediaPipe's `ImageSegmenter` reads it, too. The label of the output lies in a zip archive at the end
of the file, as the standard has it.
"""

import io as streams
import zipfile
from typing import List

import flatbuffers
from tensorflow_lite_support.metadata import metadata_schema_py_generated as schema
from tensorflow_lite_support.metadata.python.metadata import MetadataDisplayer, MetadataPopulator

from mmnet.hparams import HParams
from mmnet.tflite.flatbuffer import aligned_bytes

NAME = 'TFLITE_METADATA'
# The oldest parser that knows everything in it: custom metadata came with this version.
PARSER_VERSION = '1.5.0'
LABELS = {'labels.txt': 'person\n'}
# What MediaPipe does to the output: nothing, since it is an alpha already.
SEGMENTER, SEGMENTER_IDENTIFIER, NO_ACTIVATION = 'SEGMENTER_METADATA', b'V001', 0


def describe(hparams: HParams, step: int, image_size: int, precision: str, io: str) -> bytes:
    """Makes the metadata of a file.

    Args:
        hparams: of the network.
        step: of the training.
        image_size: side of the square that the file takes.
        precision: `float32`, `float16`, `uint8` or `int8`.
        io: what the file takes and returns, `float32` or `uint8`.

    Returns:
        a flatbuffer of its own, for the file's entry `NAME`.
    """
    size = f'{image_size}×{image_size}'
    network = hparams.to_json()['network']
    described = ', '.join(f'{name} {value}' for name, value in sorted(network.items()))
    model = schema.ModelMetadataT()
    model.name = f'{hparams.model} portrait matting'
    model.version = f'step {step}'
    model.description = (f'Alpha matte of a portrait, {size}, {precision}; {described}; '
                         f'training step {step}')

    graph = _SegmenterGraph()
    graph.inputTensorMetadata, graph.outputTensorMetadata = [_image(size, io)], [_alpha(size, io)]
    if hparams.previous_alpha:
        graph.inputTensorMetadata.append(_previous_alpha(size, io))
    model.subgraphMetadata = [graph]
    model.minParserVersion = PARSER_VERSION
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), MetadataPopulator.METADATA_FILE_IDENTIFIER)
    return bytes(builder.Output())


def _image(size: str, io: str) -> schema.TensorMetadataT:
    """Describes the photo."""
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
    return image


def _alpha(size: str, io: str) -> schema.TensorMetadataT:
    """Describes the matte, with the files that name its only label."""
    alpha = schema.TensorMetadataT()
    alpha.name = 'alpha'
    scaled = '' if io == 'float32' else ' by its scale'
    alpha.description = f'how far each pixel belongs to the person, {size}, 0 to 1{scaled}'
    alpha.stats = _stats(0.0, 1.0)
    alpha.associatedFiles = [_label_file(name) for name in LABELS]
    return alpha


def _previous_alpha(size: str, io: str) -> schema.TensorMetadataT:
    """Describes the input of a network with a memory, which MediaPipe cannot give it."""
    previous = schema.TensorMetadataT()
    previous.name = 'previous_alpha'
    values = '0 to 1' if io == 'float32' else '0 to 255'
    previous.description = f'the alpha of the last frame, {size}, {values}; 0 for the first frame'
    previous.stats = _stats(0.0, 1.0 if io == 'float32' else 255.0)
    return previous


class _SegmenterGraph(schema.SubGraphMetadataT):
    """The metadata of a graph, with MediaPipe's own; this schema is older than that field."""

    # Places of the fields in the table.
    INPUTS, OUTPUTS, CUSTOM, COUNT = 2, 3, 9, 10

    def Pack(self, builder: flatbuffers.Builder) -> int:
        inputs = _vector(builder, [each.Pack(builder) for each in self.inputTensorMetadata])
        outputs = _vector(builder, [each.Pack(builder) for each in self.outputTensorMetadata])
        custom = _vector(builder, [_segmenter(builder)])
        builder.StartObject(self.COUNT)
        builder.PrependUOffsetTRelativeSlot(self.INPUTS, inputs, 0)
        builder.PrependUOffsetTRelativeSlot(self.OUTPUTS, outputs, 0)
        builder.PrependUOffsetTRelativeSlot(self.CUSTOM, custom, 0)
        return builder.EndObject()


def _segmenter(builder: flatbuffers.Builder) -> int:
    """Packs the custom metadata that says which activation MediaPipe applies."""
    options = flatbuffers.Builder(0)
    options.StartObject(2)
    options.PrependInt8Slot(0, NO_ACTIVATION, 0)
    options.Finish(options.EndObject(), SEGMENTER_IDENTIFIER)
    data, name = aligned_bytes(builder, options.Output()), builder.CreateString(SEGMENTER)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, name, 0)
    builder.PrependUOffsetTRelativeSlot(1, data, 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: List[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector(len(offsets))


def _label_file(name: str) -> schema.AssociatedFileT:
    file = schema.AssociatedFileT()
    file.name, file.type = name, schema.AssociatedFileType.TENSOR_AXIS_LABELS
    return file


def append_labels(content: bytes) -> bytes:
    """Appends the archive of labels that the metadata names to a file; returns its new content."""
    stream = streams.BytesIO(content)
    # Runtimes map the file, so what is in the archive stays uncompressed.
    with zipfile.ZipFile(stream, 'a', zipfile.ZIP_STORED) as archive:
        for name, text in LABELS.items():
            # A fixed date: the same network always gives the same file.
            archive.writestr(zipfile.ZipInfo(name), text)
    return stream.getvalue()


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
