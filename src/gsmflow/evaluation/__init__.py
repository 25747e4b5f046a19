"""Evaluation: arrays in, numbers out."""

from .metrics import Curve, Decisions, Metrics, harmonic_mean, measure, measure_recognizer, per_class_accuracy

__all__ = ["Curve", "Decisions", "Metrics", "harmonic_mean", "measure", "measure_recognizer", "per_class_accuracy"]
