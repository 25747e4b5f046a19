"""Models in the formats of other programs."""

from .onnx_file import EXACTNESS, OPSETS, ExportedModel, export_onnx
from .probabilities import Probabilities

__all__ = ["EXACTNESS", "OPSETS", "ExportedModel", "Probabilities", "export_onnx"]
