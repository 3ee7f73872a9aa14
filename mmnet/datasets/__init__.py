"""Offline preparation of datasets: the layouts of public sets, and drawn portraits.

Training takes its backgrounds from here (`scenes`); `mmnet.data` is the batch path.
"""
