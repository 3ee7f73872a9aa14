"""The paper's tables and figures: its rows and figures, the runs, and what is made of them.

`scripts/reproduce.py` is the program on top.
"""
