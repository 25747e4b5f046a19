"""What methods reach with an unlabelled pile or a few labelled pictures of the unseen classes, beside honest rivals."""

from .kinds import Evidence, parse
from .measuring import measure
from .record import EvidenceRecord
from .rivals import RIVALS

__all__ = ["RIVALS", "Evidence", "EvidenceRecord", "measure", "parse"]
