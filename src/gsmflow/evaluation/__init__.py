"""Evaluation: metrics, and the protocols by which a model is chosen and tested."""

from .metrics import Curve, Decisions, Metrics, evaluate, harmonic_mean, measure, per_class_accuracy

__all__ = ["Curve", "Decisions", "Metrics", "evaluate", "harmonic_mean", "measure", "per_class_accuracy"]
