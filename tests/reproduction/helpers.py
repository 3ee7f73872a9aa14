"""Records with known figures."""

from mmnet.reproduction import tables


def record(label, seed, error, mad=0.1, sha=None, **others):
    return {'row': label, 'seed': seed, 'parameters': 199420,
            'metrics': {'gradient_error': error, 'mad': mad, 'iou': 0.9, 'sets': {
                'indoor': {'gradient_error': 2 * error, 'mad': mad, 'iou': 0.8}}},
            'file': {'sha256': sha or label, 'bytes': 1000}, **others}


def latency(median):
    return {'litert': {'mean': median + 0.1, 'standard_deviation': 0.2, 'median': median}}


RECORDS = (
    [record('MMNet-1.00', seed, error) for seed, error in ((1, 0.010), (2, 0.012))] +
    [record('MD16-0.75', seed, error) for seed, error in ((1, 0.020), (2, 0.021))] +
    [record('No dilation', 1, 0.0105)] +
    [record('MMNet-1.00Q', 1, 0.5, metrics_of_file={'gradient_error': 0.011, 'mad': 0.2})])
LATENCY = {'MMNet-1.00': latency(4.0), 'MD16-0.75': latency(8.0), 'MMNet-1.00Q': latency(2.0)}
RESULTS = tables.Results(RECORDS, LATENCY)
