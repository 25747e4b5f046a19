"""Selection: who decides which model wins, and on what.

A `Protocol` is a line of the table `PROTOCOLS`: it fits candidates (`Fit`), has each judged (`Judged`), and chooses
(`rank`, `choose`). What was judged stands in ``history.jsonl``, what was chosen in ``metrics.json``.
"""

from .adapted import check_data
from .candidates import Chosen, Estimate, Interval, Judged, choose, rank
from .checks import check_effect, check_settings, used_sections
from .fit import Fit, Problem
from .protocols import PROTOCOLS, Outcome, Protocol, protocol_named

__all__ = [
    "PROTOCOLS",
    "Chosen",
    "Estimate",
    "Fit",
    "Interval",
    "Judged",
    "Outcome",
    "Problem",
    "Protocol",
    "check_data",
    "check_effect",
    "check_settings",
    "choose",
    "protocol_named",
    "rank",
    "used_sections",
]
