"""Made-up scores of seven classes, and a recognizer that gives them."""

import numpy as np
import torch

from gsmflow.evaluation.metrics import Decisions, decide

SEEN, UNSEEN = np.array([0, 2, 3, 5]), np.array([1, 4, 6])


class Table:
    """A recognizer that looks its scores up; a sample's only feature is its row."""

    def __init__(self, scores: np.ndarray, unseen_scores: np.ndarray | None = None):
        self.table = torch.from_numpy(scores)
        self.unseen_table = self.table[:, UNSEEN] if unseen_scores is None else torch.from_numpy(unseen_scores)
        self.asked = []

    def scores(self, x):
        self.asked.append(len(x))
        return self.table[x[:, 0]]

    def unseen_scores(self, x):
        return self.unseen_table[x[:, 0]]


def random_scores(n: int, seed: int, labels: np.ndarray | None = None) -> np.ndarray:
    """Normal scores; those of the true class, where labels are given, are one greater."""
    scores = np.random.default_rng(seed).normal(size=(n, 7))
    if labels is not None:
        scores[np.arange(n), labels] += 1
    return scores


def draw_decisions(scores: np.ndarray, labels: np.ndarray, unseen_scores: np.ndarray | None = None) -> Decisions:
    """The decisions that a table of scores leads to."""
    return decide(Table(scores, unseen_scores), np.arange(len(scores))[:, None], labels, SEEN, UNSEEN)
