"""Tables and claims from records with known figures."""

import csv
import io

import pytest

from mmnet.reproduction import paper, tables
from tests.reproduction.helpers import LATENCY, RECORDS, RESULTS, latency, record


def cells(markdown, label):
    line, = [line for line in markdown.split('\n') if line.startswith(f'| {label} |')]
    return [cell.strip() for cell in line.strip('|').split('|')]


def test_a_table_has_the_papers_figures_beside_ours():
    text = tables.table('table3', RESULTS, tables.ALL_IMAGES)
    assert cells(text, 'MMNet-1.00') == [
        'MMNet-1.00', '2', '129', '4.00', '2.93', '11.00 ± 1.41', '2.48', '10.00 ± 0.00',
        '0.900 ± 0.000', '0.199', '199,420']
    assert cells(text, 'MMNet-0.75')[:6] == ['MMNet-0.75', '–', '90', '–', '2.99', '–']
    # The file's own figures count for 8 bits.
    assert cells(text, 'MMNet-1.00Q')[5] == '11.00'
    assert cells(tables.table('table3', RESULTS, 'indoor'), 'MMNet-1.00')[5:9] == [
        '22.00 ± 2.83', '2.48', '10.00 ± 0.00', '0.800 ± 0.000']
    assert RESULTS.sets() == [tables.ALL_IMAGES, 'indoor']
    table2 = tables.table('table2', RESULTS, tables.ALL_IMAGES)
    assert cells(table2, 'DAPM')[4] == '3.03' and cells(table2, 'MD16-0.75')[4] == '3.23'


def test_the_table_of_latencies():
    row = cells(tables.table('table5', RESULTS, tables.ALL_IMAGES), 'MMNet-1.00')
    assert row == ['MMNet-1.00', '127 ± 1', '129 ± 1', '30 ± 0', '4.10 ± 0.20', '–', '0.50',
                   '1,000']


def test_latencies_are_compared_with_the_rival_at_the_same_size():
    results = tables.Results(
        [*RECORDS, record('MMNet-1.00*', 1, 0.01), record('MD16-0.75*', 1, 0.02)],
        {**LATENCY, 'MMNet-1.00*': latency(1.0), 'MD16-0.75*': latency(4.0)})
    table = tables.table('table5', results, tables.ALL_IMAGES)
    assert [cells(table, label)[6] for label in ('MMNet-1.00', 'MMNet-1.00*')] == ['0.50', '0.25']


def test_csv_has_an_unscaled_row_for_each_set():
    rows = list(csv.DictReader(io.StringIO(tables.to_csv(tables.raw_rows('table4', RESULTS)))))
    assert len(rows) == 2 * len(paper.TABLE_4)
    whole, = [row for row in rows if row['row'] == 'MMNet-1.00' and row['test_set'] == 'indoor']
    assert float(whole['gradient_error']) == pytest.approx(0.022) and whole['seeds'] == '2'
    assert whole['paper_gradient_error'] == '2.93'
    assert [float(whole[name]) for name in (
        'gradient_error_std', 'bytes', 'litert_ms_mean', 'litert_ms_standard_deviation',
        'litert_ms_median')] == pytest.approx([0.002 * 2 ** 0.5, 1000, 4.1, 0.2, 4.0])
    assert rows[0]['row'] == 'No dilation' and rows[0]['paper_mad'] == ''


def test_rows_at_other_sizes_follow_the_papers():
    results = tables.Results([record('MMNet-0.50@64', 1, 0.01)], {})
    assert tables.rows_of_target('table3', results)[-1] == 'MMNet-0.50@64'
    assert 'MMNet-0.50@64' not in tables.rows_of_target('table4', results)


def test_claims_are_judged():
    claims = {(each.metric, each.smaller, each.larger) for each in tables.claims(RESULTS)}
    assert claims == {
        ('gradient_error', 'MMNet-1.00', 'MD16-0.75'), ('milliseconds', 'MMNet-1.00', 'MD16-0.75'),
        ('gradient_error', 'MMNet-1.00Q', 'MMNet-1.00'), ('mad', 'MMNet-1.00Q', 'MMNet-1.00'),
        ('milliseconds', 'MMNet-1.00Q', 'MMNet-1.00'),
        ('gradient_error', 'MMNet-1.00', 'No dilation')}

    def judged(metric, smaller, larger):
        return tables.judge(RESULTS, tables.Comparison('', metric, smaller, larger))[4:]
    assert judged('gradient_error', 'MMNet-1.00', 'MD16-0.75') == [
        '11.00, 20.50', '+46.3 %', '+9.8 %', 'yes']
    assert judged('milliseconds', 'MMNet-1.00', 'MD16-0.75') == [
        '4.00, 8.00', '+50.0 %', '+11.6 %', 'yes']
    assert judged('mad', 'MMNet-1.00Q', 'MMNet-1.00')[1:] == ['-100.0 %', '+0.4 %',
                                                              'no (one seed)']
    claim = tables.Comparison('', 'gradient_error', 'MMNet-1.00', 'MD16-0.75')
    assert tables.judge(RESULTS, claim, 'indoor')[4] == '22.00, 41.00'
    # The float row's other seed says nothing about rounding.
    assert judged('gradient_error', 'MMNet-1.00Q', 'MMNet-1.00')[:2] == ['11.00, 10.00', '-10.0 %']
    assert judged('milliseconds', 'MMNet-1.00', 'No dilation')[-1] == 'not measured'


def test_each_part_of_the_recipe_is_a_claim():
    records = [record('MMNet-1.00', 1, 0.010), record('With average', 1, 0.008, mad=0.2)]
    table = tables.claims_table(tables.Results(records, {}))
    lines = [line.split(' | ') for line in table.strip().split('\n')[2:]]
    assert [(line[1], line[2], line[5], line[-1].rstrip(' |')) for line in lines] == [
        ('With average', 'MMNet-1.00', '+20.0 %', 'yes (one seed)'),
        ('With average', 'MMNet-1.00', '-100.0 %', 'no (one seed)')]


def test_chance_is_told_from_margin():
    assert tables.verdict([1, 2], [5, 6]) == 'yes' and tables.verdict([5, 6], [1, 2]) == 'no'
    assert tables.verdict([1, 3], [2, 4.1]) == 'yes, within chance'
    # 1.8 standard errors.
    assert tables.verdict([0, 2], [2.5, 4.5]) == 'yes, within chance'
    assert tables.verdict([2], [1]) == 'no (one seed)'
    assert tables.verdict([2], [3], by_chance=False) == 'yes'


def test_a_rival_is_compared_with_the_best_row_that_is_no_slower():
    records = [record('MMNet-1.40*', 1, 0.010), record('MMNet-1.00*', 1, 0.012),
               record('MD16-0.75*', 1, 0.013)]
    latencies = {'MMNet-1.40*': latency(4.0), 'MMNet-1.00*': latency(2.0),
                 'MD16-0.75*': latency(3.0)}
    ours = ['MMNet-1.40*', 'MMNet-1.00*']
    results = tables.Results(records, latencies)
    assert tables.dominating(results, ours, 'MD16-0.75*') == 'MMNet-1.00*'
    # A row that is not trained is no answer.
    results = tables.Results([records[0], records[2]], latencies)
    assert [(each.smaller, each.metric) for each in tables.claims(results)] == [
        ('MMNet-1.40*', 'gradient_error'), ('MMNet-1.40*', 'milliseconds')]
    # Without latencies, the most accurate one.
    assert tables.dominating(tables.Results(records, {}), ours, 'MD16-0.75*') == 'MMNet-1.40*'
