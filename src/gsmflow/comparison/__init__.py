"""Several methods on one data set: each combination of method, recognizer, protocol and seed is a cell, a run folder.

::

    cells/<method>-<recognizer>-<protocol>-<seed>/    finished ones are kept, interrupted ones are resumed
    comparison.json                                   a list of cells with their numbers
    comparison.md                                     the tables
    comparison.png                                    H with intervals; seen-unseen curves with operating points
"""

from .cells import Comparison, Finished, run_cells, write_comparison
from .plan import Cell, plan

__all__ = ["Cell", "Comparison", "Finished", "plan", "run_cells", "write_comparison"]
