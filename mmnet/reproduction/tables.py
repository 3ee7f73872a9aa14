"""Tables and claims: what came of the runs, beside what the paper prints."""

import csv
import io
from typing import Any, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from mmnet.reproduction.paper import (FAST, FLOAT_ROWS, LOSSES, PHONES, RECIPE, RIVAL, TABLE_4,
                                      TABLE_5, TARGETS, WHOLE, make_row, published, trainable)

Record = Dict[str, Any]
ALL_IMAGES = 'all images'
NOTHING = '–'
# Standard errors that a margin must exceed to be told from chance.
CHANCE = 2
RUNTIMES = {'litert': 'LiteRT', 'tensorflow': 'TensorFlow 1.15'}
UNITS = {'gradient_error': ('gradient error ×10³', 1000), 'mad': ('MAD ×10²', 100),
         'iou': ('IOU', 1)}


class Results:
    """The records of finished runs, and the latencies of their files.

    Args:
        records: as `runs.make_record` makes them.
        latency: by the SHA-256 of a file, then by runtime: `mean`, `standard_deviation`, `median`.
    """

    def __init__(self, records: Sequence[Record], latency: Mapping[str, Any]):
        self._records = records
        self._latency = latency

    def of(self, label: str) -> List[Record]:
        """Returns the records of a row, by seed."""
        return sorted((each for each in self._records if each['row'] == label),
                      key=lambda each: each['seed'])

    def timed(self) -> bool:
        """Returns whether there is any latency."""
        return bool(self._latency)

    def labels(self) -> List[str]:
        """Returns the rows that have records."""
        return list(dict.fromkeys(each['row'] for each in self._records))

    def sets(self) -> List[str]:
        """Returns the names of the test sets, after `ALL_IMAGES` if there are several."""
        named = [name for each in self._records for name in each['metrics'].get('sets', {})]
        return [ALL_IMAGES, *dict.fromkeys(named)]

    def seeds(self, label: str) -> List[int]:
        """Returns the seeds of a row's records."""
        return [each['seed'] for each in self.of(label)]

    def values(self, label: str, metric: str, test_set: str = ALL_IMAGES,
               seeds: Optional[Collection[int]] = None) -> List[float]:
        """Returns a metric of a row's seeds, or of those given.

        It is that of the exported file for rows of 8 bits.
        """
        found = []
        for record in self.of(label):
            if seeds is not None and record['seed'] not in seeds:
                continue
            metrics = record.get('metrics_of_file') or record['metrics']
            if test_set != ALL_IMAGES:
                metrics = metrics.get('sets', {}).get(test_set, {})
            if metrics.get(metric) is not None:
                found.append(metrics[metric])
        return found

    def milliseconds(self, label: str, runtime: str) -> Optional[Mapping[str, float]]:
        """Returns the latency of a row's file in a runtime."""
        for record in self.of(label):
            measured = self._latency.get(record['file']['sha256'], {}).get(runtime)
            if measured:
                return measured
        return None


def rows_of_target(target: str, results: Results) -> List[str]:
    """Lists the rows of a target: the paper's, then those at other sizes that were trained."""
    names = {make_row(label).name for label in TARGETS[target] if trainable(label)}
    others = [label for label in results.labels()
              if make_row(label).name in names and label not in TARGETS[target]]
    return [*TARGETS[target], *others]


def raw_rows(target: str, results: Results) -> List[Dict[str, Any]]:
    """Returns a target's table, a dictionary for each row and test set, unscaled."""
    rows = []
    for test_set in results.sets():
        for label in rows_of_target(target, results):
            paper = published(label, target)
            row: Dict[str, Any] = {'test_set': test_set, 'row': label,
                                   'seeds': len(results.of(label))}
            for metric in UNITS:
                values = results.values(label, metric, test_set)
                row[metric] = np.mean(values) if values else None
                row[metric + '_std'] = np.std(values, ddof=1) if len(values) > 1 else None
            row['parameters'] = next((each['parameters'] for each in results.of(label)), None)
            row['bytes'] = next((each['file']['bytes'] for each in results.of(label)), None)
            for runtime in RUNTIMES:
                measured = results.milliseconds(label, runtime) or {}
                for name in ('mean', 'standard_deviation', 'median'):
                    row[f'{runtime}_ms_{name}'] = measured.get(name)
            row.update({f'paper_{name}': value for name, value in paper._asdict().items()})
            rows.append(row)
    return rows


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Formats rows as CSV; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows({name: '' if value is None else value for name, value in row.items()}
                     for row in rows)
    return text.getvalue()


def table(target: str, results: Results, test_set: str) -> str:
    """Formats a target's table of a test set in Markdown, the paper's figures beside ours."""
    if target == 'table5':
        return latency_table(results)
    heads = ['', 'seeds', 'ms, Mi 5 (paper)', 'ms, LiteRT', 'gradient error ×10³ (paper)',
             'gradient error ×10³', 'MAD ×10² (paper)', 'MAD ×10²', 'IOU', 'parameters, M (paper)',
             'parameters']
    lines = []
    for label in rows_of_target(target, results):
        paper = published(label, target)
        records = results.of(label)
        latency = results.milliseconds(label, 'litert')
        lines.append([
            label, str(len(records) or NOTHING), number(paper.milliseconds, 0),
            number(latency['median'] if latency else None, 2), number(paper.gradient_error, 2),
            mean(results, label, 'gradient_error', test_set), number(paper.mad, 2),
            mean(results, label, 'mad', test_set), mean(results, label, 'iou', test_set),
            number(paper.parameters, 3),
            f'{records[0]["parameters"]:,}' if records else NOTHING])
    return markdown(heads, lines)


def latency_table(results: Results) -> str:
    """Formats Table 5: mean ± standard deviation in milliseconds, on their phones and here."""
    heads = ['', *(f'{phone} (paper)' for phone in PHONES), *RUNTIMES.values(),
             f'LiteRT ÷ {RIVAL}', 'bytes']
    lines = []
    for label in rows_of_target('table5', results):
        records = results.of(label)
        here = [results.milliseconds(label, runtime) for runtime in RUNTIMES]
        size = make_row(label).image_size
        rival = results.milliseconds(make_row(RIVAL, size).label, 'litert')
        lines.append([
            label,
            *(f'{each[0]} ± {each[1]}' if each else NOTHING
              for each in TABLE_5.get(label, [None] * len(PHONES))),
            *(f'{each["mean"]:.2f} ± {each["standard_deviation"]:.2f}' if each else NOTHING
              for each in here),
            number(here[0]['median'] / rival['median'] if here[0] and rival else None, 2),
            f'{records[0]["file"]["bytes"]:,}' if records else NOTHING])
    return markdown(heads, lines)


def number(value: Optional[float], digits: int) -> str:
    """Formats a number, or a dash where there is none."""
    return NOTHING if value is None else f'{value:.{digits}f}'


def mean(results: Results, label: str, metric: str, test_set: str = ALL_IMAGES) -> str:
    """Formats a metric's mean over seeds, ± the standard deviation if there are several."""
    scale, digits = UNITS[metric][1], 3 if metric == 'iou' else 2
    values = np.multiply(results.values(label, metric, test_set), scale)
    if not len(values):
        return NOTHING
    text = f'{np.mean(values):.{digits}f}'
    return text + f' ± {np.std(values, ddof=1):.{digits}f}' if len(values) > 1 else text


def markdown(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Formats a table in Markdown."""
    rows = [heads, ['---'] * len(heads), *lines]
    return ''.join('| ' + ' | '.join(row) + ' |\n' for row in rows)


class Comparison(NamedTuple):
    """A part of a claim: a figure of one row is smaller than that of another.

    Attributes:
        claim: the paper's claim, in a sentence.
        metric: a key of `UNITS`, or `milliseconds`.
        smaller, larger: labels of the rows.
    """
    claim: str
    metric: str
    smaller: str
    larger: str


def claims(results: Results) -> List[Comparison]:
    """Lists the paper's claims for the sizes that were trained."""
    found: List[Comparison] = []
    sizes = sorted({make_row(label).image_size for label in results.labels()}, reverse=True)
    for size in sizes:
        def at(name: str) -> str:
            return make_row(name, size).label
        claim = f'{at(WHOLE)} beats {at(RIVAL)} at less latency'
        found += [Comparison(claim, metric, at(WHOLE), at(RIVAL))
                  for metric in ('gradient_error', 'milliseconds')]
        for name, float_row in FLOAT_ROWS.items():
            claim = f'{at(name)} loses nothing by 8 bits and is faster'
            found += [Comparison(claim, metric, at(name), at(float_row))
                      for metric in ('gradient_error', 'mad', 'milliseconds')]
        for name in TABLE_4:
            if name != WHOLE:
                found.append(Comparison('Every block lowers the gradient error',
                                        'gradient_error', at(WHOLE), at(name)))
        for name in LOSSES:
            if name != WHOLE:
                found += [Comparison('Every loss term lowers the errors', metric, at(WHOLE),
                                     at(name)) for metric in ('gradient_error', 'mad')]
        for name in RECIPE:
            found += [Comparison('Every part of the recipe lowers the errors', metric, at(name),
                                 at(WHOLE)) for metric in ('gradient_error', 'mad')]
    ours, rivals = ([label for label in FAST if label.startswith(family)]
                    for family in ('MMNet', 'MD'))
    for rival in rivals:
        claim = f'MMNet dominates {rival}, below 60 ms'
        best = dominating(results, ours, rival)
        found += [Comparison(claim, metric, best, rival)
                  for metric in ('gradient_error', 'milliseconds')]
    return [each for each in found if results.of(each.smaller) and results.of(each.larger)]


def dominating(results: Results, ours: Sequence[str], rival: str) -> str:
    """Returns the most accurate of our rows that is no slower than a rival.

    Where latencies are not measured, the most accurate one. Rows that are not trained come last.
    """
    def key(label: str) -> Tuple[bool, bool, float]:
        times = [results.milliseconds(each, 'litert') for each in (label, rival)]
        slower = bool(times[0] and times[1] and times[0]['median'] > times[1]['median'])
        values = results.values(label, 'gradient_error')
        return not values, slower, float(np.mean(values)) if values else np.inf
    return min(ours, key=key)


def claims_table(results: Results, test_set: str = ALL_IMAGES) -> str:
    """Formats each claim with its margin here and in the paper, and whether it held."""
    heads = ['claim', 'smaller', 'larger', 'figure', 'here', 'margin', 'paper\'s margin', 'held']
    return markdown(heads, [judge(results, each, test_set) for each in claims(results)])


def judge(results: Results, comparison: Comparison, test_set: str = ALL_IMAGES) -> List[str]:
    """Formats a comparison; the margin is relative to the larger row."""
    claim, metric, smaller, larger = comparison
    if metric == 'milliseconds':
        name, samples = 'ms, LiteRT', [
            [measured['median']] if measured else []
            for measured in (results.milliseconds(each, 'litert') for each in (smaller, larger))]
    else:
        name, scale = UNITS[metric]
        # A row of 8 bits is compared with the very float rows that it started from.
        seeds = (results.seeds(smaller)
                 if make_row(smaller).float_row == make_row(larger).name else None)
        samples = [[scale * value for value in results.values(each, metric, test_set, seeds)]
                   for each in (smaller, larger)]
    paper = [getattr(published(each), metric, None) or np.nan for each in (smaller, larger)]
    printed = margin(*paper)
    if not samples[0] or not samples[1]:
        return [claim, smaller, larger, name, NOTHING, NOTHING, printed, 'not measured']
    low, high = (float(np.mean(each)) for each in samples)
    return [claim, smaller, larger, name, f'{low:.2f}, {high:.2f}', margin(low, high), printed,
            verdict(samples[0], samples[1], by_chance=metric != 'milliseconds')]


def margin(smaller: float, larger: float) -> str:
    """Formats by how much one figure is below another, as a share of the larger row's."""
    return NOTHING if np.isnan(smaller + larger) else f'{100 * (1 - smaller / larger):+.1f} %'


def verdict(smaller: Sequence[float], larger: Sequence[float], by_chance: bool = True) -> str:
    """Says whether the first sample is smaller, and whether chance may explain the difference."""
    difference = float(np.mean(larger) - np.mean(smaller))
    held = 'yes' if difference > 0 else 'no'
    if not by_chance:
        return held
    if min(len(smaller), len(larger)) < 2:
        return f'{held} (one seed)'
    error = np.sqrt(np.var(smaller, ddof=1) / len(smaller) + np.var(larger, ddof=1) / len(larger))
    return held if abs(difference) > CHANCE * error else f'{held}, within chance'
