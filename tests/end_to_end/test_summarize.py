"""scripts/summarize.py against counts by hand and the paper's tables."""

import pytest

from tests.helpers import run

pytestmark = pytest.mark.slow

# Where the columns begin.
COLUMNS = [0, 19, 50, 65, 78]


def rows(*args):
    status, out, err = run('scripts/summarize.py', *args)
    assert status == 0, err
    found = {}
    for line in out.split('\n')[2:]:
        cells = [line[start:end].strip() for start, end in zip(COLUMNS, COLUMNS[1:] + [None])]
        if cells[3].replace(',', '').isdigit():
            found[cells[0]] = (cells[1], cells[2], int(cells[3].replace(',', '')),
                               int(cells[4].replace(',', '') or 0))
    return found, out


def test_mmnet_is_table_1():
    table, out = rows('mmnet', '--width_multiplier', 1.0, '--image_size', 256)
    sizes = {'initial': '128×128×32', 'encoder_1': '64×64×16', 'encoder_4': '64×64×24',
             'encoder_5': '32×32×40', 'encoder_10': '16×16×80', 'decoder_1': '32×32×128',
             'decoder_2': '64×64×80', 'enhancement_2': '64×64×40', 'decoder_3': '64×64×16',
             'final': '256×256×2'}
    assert {name: table[name][1] for name in sizes} == sizes
    assert table['encoder_1'][0].endswith('DR [1, 2, 4, 8], S2')
    assert table['encoder_2'][0].endswith('DR [1, 2, 4, 8]')
    # 3×3×3 weights for each of 32 channels, and four numbers of batch norm.
    assert table['initial'][2:] == (27 * 32 + 4 * 32, 128 * 128 * 32 * 27)
    # 1×1 to four branches of 16; strided, then dilated 3×3 depthwise; 1×1 to 16.
    assert table['encoder_1'][3] == 128 * 128 * 32 * 64 + 64 * 64 * 64 * 9 * 2 + 64 * 64 * 64 * 16
    assert table['aux'][2] == 80 * 2 + 2 and table['total'][2] == 199420
    for column in (2, 3):
        assert sum(row[column] for name, row in table.items() if name != 'total') == \
            table['total'][column]
    assert '256×256' in out.split('\n')[0]


def test_a_memory_is_counted():
    plain, _ = rows('mmnet', '--image_size', 64)
    remembering, _ = rows('mmnet', '--image_size', 64, '--previous_alpha')
    assert remembering['initial'][2] - plain['initial'][2] == 3 * 3 * 32


def test_deeplab_with_dilation_and_pooling():
    table, _ = rows('deeplab', '--width_multiplier', 0.35, '--output_stride', 8,
                    '--image_size', 128)
    assert table['total'][2] == 453730
    assert table['image_pooling'][1] == '1×1×256'
    # 320 channels at 0.35: 112.
    assert table['image_pooling'][3] == 112 * 256
    assert table['aspp0'][3] == 16 * 16 * 112 * 256
    assert table['semantic'][1] == '128×128×2'
    assert 'DR [1, 4]' in table['expanded_conv_15'][0]
    assert sum(row[3] for name, row in table.items() if name != 'total') == table['total'][3]


@pytest.mark.parametrize('args, named', [
    (['resnet'], 'resnet'), (['mmnet', '--image_size', 100], '100'),
    (['mmnet', '--output_stride', 8], 'output_stride')])
def test_what_cannot_be_built_is_named(args, named):
    status, out, err = run('scripts/summarize.py', *args)
    assert status == 1 and named in err and err.count('\n') == 1 and not out
