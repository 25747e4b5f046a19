"""Fitting one model: its candidates, their evaluation, saved states and interruptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..data import TestSets, TrainingSet
from ..errors import InputError
from ..evaluation.metrics import Metrics, measure_recognizer
from ..generators import Classes, ClosedForm, Listed, Projected, Trained, adopt, build_generator
from ..model import About, ZeroShotModel
from ..recognizers import Direct, fit_recognizer
from ..runs import Interrupted, JudgedEvent, Run
from ..scaling import Scaling
from ..seeds import derive
from ..semantics import SemanticWeighting, Words
from ..settings import Settings
from ..streams import CHUNK, Stream, on_device
from ..training import build_optimizer, load_optimizer_tensors, minimize, optimizer_tensors, steps_per_epoch
from .candidates import Choice, Judged, curves_as_tensor, with_curves

__all__ = ["Fit", "Judge", "Problem"]

Judge = Callable[[int, Choice], list[Judged]]
"""From a candidate's place and its choice to what was found: one for each way to recognise with it."""

LOG_STEPS = 20  # losses are read from the device and logged once in so many steps
MODEL, OPTIMIZER, WARM = "model|", "optimizer|", "warm|"


@dataclass(frozen=True, eq=False)
class Problem:
    """What models are fitted to and judged on: cut, checked and brought to the device once.

    Attributes:
        training: what may be seen.
        tests: what judges; None where nothing is to be judged: then no test sample can be reached from here.
        x: ``(n, D)``, training features as they are, on the device or read from where they lie.
        labels: ``(n,)``, their class ids.
        classes: all classes.
    """

    training: TrainingSet
    tests: TestSets | None
    x: Tensor | Stream
    labels: Tensor
    classes: Classes

    @classmethod
    def of(cls, training: TrainingSet, tests: TestSets | None, device: torch.device) -> Problem:
        """Bring a problem to a device."""
        labels = torch.tensor(training.labels, device=device)
        return cls(training, tests, on_device(training.features, device), labels, Classes.of(training, device))


class Fit:
    """One model in training: scaling, generator and the scaled training features.

    Args:
        problem: what it is fitted to.
        settings: all settings; the seed among them.
        phase: the name of this fit in history and state.
    """

    def __init__(self, problem: Problem, settings: Settings, phase: str):
        self.problem, self.settings, self.phase = problem, settings, phase
        self.seed = derive(settings.seed, phase)
        raw, training, self.labels = problem.x, problem.training, problem.labels
        self.scaling = Scaling.fit(raw, settings.scaling)
        words = Words.among(training.semantic_parts, self.scaling) if training.one_space else None
        weighting = SemanticWeighting(training.semantic_parts, settings.text_weight)
        self.classes = problem.classes.for_generator(weighting, words)
        self.x = Stream(raw.rows, raw.device, self.scaling) if isinstance(raw, Stream) else self.scaling(raw)
        with torch.random.fork_rng(devices=[raw.device] if raw.is_cuda else []):
            torch.manual_seed(derive(self.seed, "initial"))
            self.generator = build_generator(training.dim, self.classes, settings).to(raw.device)
        self.epoch_steps = steps_per_epoch(len(self.x), settings.training.batch)
        self.warm: dict[str, dict[str, Tensor]] = {}
        self.viewed: tuple[TestSets, TestSets] | None = None

    def judged(self, run: Run) -> list[Judged] | None:
        """All that was judged, in this run or before it was interrupted; None while there is more to judge."""
        events = run.judged(self.phase)
        if not any(event.last for event in events):
            return None
        found = []
        try:
            for event in events:
                judged = [Judged.from_json(one) for one in event.found]
                curves = run.kept.get(self.kept_as(event.step))
                found += judged if curves is None else with_curves(judged, curves)
            if not found or (found[0].fold is not None and any(one.curve is None for one in found)):
                raise ValueError("candidates or their curves are missing")
        except (TypeError, ValueError) as error:
            raise InputError(
                f"history.jsonl and state.safetensors in {run.folder} do not fit each other ({error}): one was "
                "altered; start a new run."
            ) from error
        return found

    def judge_candidates(
        self, run: Run, points: list[int], judge: Judge, wanted: Callable[[Choice], bool] = lambda choice: True
    ) -> list[Judged]:
        """Let ``judge(place, choice)`` judge every candidate; log and return what it finds.

        The candidates are the settings listed for a closed form, judged in one go, or the steps ``points`` of training.
        Of a closed form only those ``wanted`` are judged. What was judged before an interruption is not judged again.
        """
        if (found := self.judged(run)) is not None:
            return found
        if isinstance(self.generator, ClosedForm):
            found = []
            if isinstance(self.generator, Listed):
                self.generator.wanted = wanted
            if not (total := self.generator.count()):
                return found
            run.display.begin(self.phase, total)
            for place, choice in enumerate(self.generator.candidates(self.x, self.labels)):
                found += judge(place, choice)
                run.display.begin(self.phase, total)
                run.display.show(place + 1, {})
                run.stop_if_asked()
            self.log_judged(run, 0, last=True, found=found)
            run.save_state(self.phase, 0, {})
        else:
            self.run(run, points[-1], points, judge)
        return self.judged(run) or []

    def log_judged(self, run: Run, step: int, *, last: bool, found: list[Judged]) -> None:
        """Log what was found after a step, and keep the curves for the choice."""
        on: Literal["validation", "test"] = "validation" if found and found[0].curve else "test"
        h = max((one.best_h for one in found), default=0.0)
        if on == "validation":
            run.kept[self.kept_as(step)] = curves_as_tensor(found)
        run.log_judged(JudgedEvent(self.phase, step, last, on, h, tuple(one.to_json() for one in found)))

    def kept_as(self, step: int) -> str:
        """Under which name the curves of a step are kept."""
        return f"curves|{self.phase}|{step}"

    def make(self, run: Run, choice: Choice) -> int:
        """Fit the generator as chosen; return the number of steps done."""
        if isinstance(self.generator, ClosedForm):
            self.generator.fit(self.x, self.labels)
            return 0
        steps = round(choice["epoch"] * self.epoch_steps)
        self.run(run, steps, [], lambda place, choice: [])
        return steps

    def run(self, run: Run, steps: int, points: list[int], judge: Judge) -> None:
        """Train for ``steps`` steps, and let ``judge`` judge at each of ``points``.

        Takes up the saved state where ``run`` has one of this phase; saves the state when asked to stop.

        Raises:
            InputError: if the loss is no longer finite.
            Interrupted: if the run was asked to stop.
        """
        assert isinstance(self.generator, Trained)
        self.generator.prepare(self.x, self.labels)
        optimizer = build_optimizer(self.generator, self.settings.training)
        start = self.restore(run, optimizer)
        done = {event.step for event in run.judged(self.phase)}
        run.display.begin(self.phase, steps)
        stepping = minimize(
            self.generator,
            self.x,
            self.labels,
            self.settings.training,
            optimizer=optimizer,
            steps=steps,
            seed=self.seed,
            start=start,
        )
        for step in stepping:
            try:
                if step.terms and (step.number % LOG_STEPS == 0 or step.number == steps):
                    losses = {name: float(value) for name, value in step.terms.items()}
                    self.check_losses(losses, step.number)
                    run.log_losses(self.phase, step.number, losses)
                    run.display.show(step.number, losses)
                if step.number in points and step.number not in done:
                    found = judge(points.index(step.number), {"epoch": step.number / self.epoch_steps})
                    self.log_judged(run, step.number, last=step.number == steps, found=found)
                    run.display.begin(self.phase, steps)
                run.stop_if_asked()
            except Interrupted:
                run.save_state(self.phase, step.number, self.state(optimizer))
                raise
            if run.state_is_due():
                run.save_state(self.phase, step.number, self.state(optimizer))

    def check_losses(self, losses: Mapping[str, float], step: int) -> None:
        """Stop a run that has diverged: nothing good comes after."""
        if not all(map(math.isfinite, losses.values())):
            raise InputError(
                f"Training diverged: the loss of {self.phase} is not finite at step {step}; lower training.lr, "
                f"now {self.settings.training.lr:g}."
            )

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Parameters, what the optimizer remembers, and softmax weights to start from."""
        tensors = {f"{MODEL}{name}": value for name, value in self.generator.state_dict().items()}
        tensors |= {f"{OPTIMIZER}{k}": v for k, v in optimizer_tensors(self.generator, optimizer).items()}
        for way, weights in self.warm.items():
            tensors |= {f"{WARM}{way}|{name}": value for name, value in weights.items()}
        return tensors

    def restore(self, run: Run, optimizer: torch.optim.Optimizer) -> int:
        """Load the saved state of this phase, if any; return the number of steps done.

        Raises:
            InputError: if it does not fit.
        """
        tensors, step = run.take_state(self.phase)
        if not tensors:
            return step

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        try:
            adopt(self.generator, under(MODEL))
            load_optimizer_tensors(self.generator, optimizer, under(OPTIMIZER))
        except (RuntimeError, KeyError, ValueError) as error:
            raise InputError(
                f"state.safetensors in {run.folder} does not fit its config.yaml: one was altered; start a new run."
            ) from error
        for name, value in under(WARM).items():
            way, _, weight = name.rpartition("|")
            self.warm.setdefault(way, {})[weight] = value.to(self.labels.device)
        return step

    def models(
        self, run: Run, kind: str, *purpose: int | str, tried: Mapping[str, str] | None = None, settings: Settings
    ) -> Iterator[ZeroShotModel]:
        """Fit a recognizer on the generator as it is now; yield the whole model after each of its epochs.

        Args:
            run: is shown how far it is.
            kind: of recognizer.
            purpose: what it is for: a seed of its own.
            tried: the point of the grid that ``settings`` hold, where others are tried on the same generator.
            settings: with those of the recognizer.
        """
        self.generator.eval()
        way = ",".join(f"{key}={value}" for key, value in (tried or {}).items())
        fitting = fit_recognizer(
            kind,
            self.generator,
            self.x,
            self.labels,
            self.classes,
            settings,
            seed=derive(self.seed, "recognizer", *purpose),
            start=self.warm.get(way),
        )
        takes_long = kind == "softmax"
        if takes_long:
            run.display.begin(f"{self.phase}: softmax", settings.softmax.epochs)
        for epoch, recognizer in enumerate(fitting, 1):
            if takes_long:
                run.display.show(epoch, {})
            about = About.of(self.problem.training, settings, kind)
            yield ZeroShotModel.of(self.problem.training, self.scaling, self.generator, recognizer, about)
            run.stop_if_asked()
            last = recognizer
        if takes_long and settings.softmax.warm:
            self.warm[way] = {name: t.clone() for name, t in last.state_dict().items()}
        self.generator.train()

    def test(self, model: ZeroShotModel) -> Metrics:
        """Measure a model on the test sets of the problem, without a constant.

        Where few directions tell classes apart, the test features are looked at once for all candidates.
        """
        t, tests = self.problem.training, self.problem.tests
        assert tests
        if not isinstance(self.generator, Projected) or not isinstance(model.recognizer, Direct):
            return measure_recognizer(model, tests, t.seen, t.unseen, to_tensor=model.tensor)
        if self.viewed is None or self.viewed[0] is not tests:
            self.viewed = tests, viewed(model, tests)
        return measure_recognizer(model.recognizer, self.viewed[1], t.seen, t.unseen, to_tensor=torch.as_tensor)


@torch.no_grad()
def viewed(model: ZeroShotModel, tests: TestSets) -> TestSets:
    """Test sets as the recognizer looks at them, which is the same for all candidates of one fit."""

    def view(features: Any) -> Tensor:
        starts = range(0, len(features), CHUNK)
        parts = [model.view(model.tensor(features[start : start + CHUNK])) for start in starts]
        return torch.cat(parts) if parts else torch.empty(0)

    seen, unseen = view(tests.seen_features), view(tests.unseen_features)
    return replace(tests, seen_features=np.asarray(seen), unseen_features=np.asarray(unseen))
