"""Offline preparation of datasets: the layouts of public sets, and drawn portraits.

Training never imports this package; `mmnet.data` is the batch path.
"""
