"""Several methods on one data set: each combination of method, recognizer, protocol, seed and class split is a cell,
a run folder, on whose model all kinds of evidence are measured.

::

    cells/<method>-<recognizer>-<protocol>-<seed>/            finished ones are kept, interrupted ones are resumed
    cells/<method>-<recognizer>-<protocol>-<seed>-split<k>/   the same on class split k, with other unseen classes
    cells/…/evidence-<kind>.json                              what its model, and rivals, reach with evidence
    comparison.json    a list of what was measured: cells with their numbers, a kind of evidence each
    comparison.md      the tables
    comparison.png     H with intervals; seen-unseen curves with operating points
    shots.png          T1 and H against the number of labelled pictures, where two numbers of them were measured
"""

from .cells import Comparison, Finished, run_cells, write_comparison
from .plan import Cell, plan

__all__ = ["Cell", "Comparison", "Finished", "plan", "run_cells", "write_comparison"]
