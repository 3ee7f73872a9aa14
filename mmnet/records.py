"""Writes down what evaluation measured: `eval_<split>.jsonl`, TensorBoard, a line to read."""

import json
import os
from typing import Any, Dict, List

from mmnet import files, scores
from mmnet.errors import UserError

# Values by name, unscaled: `gradient_error`, `mad`, …; of a checkpoint also `global_step`,
# `split`, `parameters` and the `data` that it was measured on.
Record = Dict[str, Any]
# The split's name in records of photos that training left out.
VALIDATION = 'validation'


def path_of(train_dir: str, split: str) -> str:
    """Returns the file that holds the records of a split."""
    return os.path.join(train_dir, f'eval_{split}.jsonl')


def read_records(path: str) -> List[Record]:
    """Reads the lines of an `eval_<split>.jsonl`; a missing file has none.

    Raises:
        UserError: if the file is damaged or cannot be read.
    """
    if not os.path.exists(path):
        return []
    try:
        with open(path) as file:
            found = [json.loads(line) for line in file]
        if not all(isinstance(each, dict) and isinstance(each.get('global_step'), int)
                   for each in found):
            raise ValueError('a record without global_step')
        return found
    except OSError as error:
        raise UserError(f'{path}: cannot be read ({error.strerror}); fix its permissions, or move '
                        f'it away')
    except ValueError:
        raise UserError(f'{path}: is damaged; move it away, and the next evaluation writes it anew')


def of_other_photos(path: str, data: Record) -> bool:
    """Returns whether a file holds records of other photos.

    Args:
        path: of an `eval_<split>.jsonl`.
        data: the photos, as `mmnet.data.pairs.describe` returns them. Older records lack it.
    """
    return any(each.get('data', data) != data for each in read_records(path))


def write_record(path: str, record: Record) -> None:
    """Writes a checkpoint's record as a line, ordered by step, replacing an older one of its step.

    Raises:
        UserError: if the file is damaged or cannot be written.
    """
    records = [other for other in read_records(path)
               if other['global_step'] != record['global_step']] + [record]
    records.sort(key=lambda each: each['global_step'])
    files.write_text(''.join(json.dumps(each) + '\n' for each in records), path)


def report(record: Record) -> None:
    """Prints a record: a line for each of several data sets, then one for all images."""
    sets = record.get('sets', {})
    width = max(map(len, sets), default=0)
    for name, means in sets.items():
        print(f'{name:{width}}  {paper_units(means)}')
        print_scores(means)
    print(paper_units(record), flush=True)
    print_scores(record)
    if 'own_past' in record:
        print('the same images again, with the network\'s own alphas as their past:')
        report(record['own_past'])


def print_scores(record: Record) -> None:
    """Prints the scores of other papers' conventions, if they were computed."""
    if 'sad' in record:
        print('  ' + '  '.join(f'{name} {record[name]:.4g}' for name in scores.CONVENTIONS
                               if record.get(name) is not None))


def paper_units(record: Record) -> str:
    """Formats a record as a line in the units of Table 3: gradient error × 1000, MAD × 100."""
    parts = [f'gradient error {1000 * record["gradient_error"]:.2f} (×10⁻³)',
             f'MAD {100 * record["mad"]:.2f} (×10⁻²)',
             f'mean IOU {record["mean_iou"]:.4f}',
             f'edge IOU {record["mean_edge_iou"]:.4f}',
             f'{record["images"]} images']
    if 'dtssd' in record:
        parts.insert(-1, f'dtSSD {record["dtssd"]:.3f}')
    if 'loss/total' in record:
        parts.insert(-1, f'loss {record["loss/total"]:.4f}')
    if 'global_step' in record:
        parts.insert(0, f'step {record["global_step"]}')
        parts.append(f'{record["parameters"] / 1e6:.3f} M parameters ({record["parameters"]:,})')
    return '  '.join(parts + ['best so far'] * bool(record.get('best')))
