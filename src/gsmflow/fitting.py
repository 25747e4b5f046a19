"""Fitting one model: the training loop with its evaluations, saved states and interruptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from .data import TestSets, TrainingSet
from .errors import InputError
from .evaluation.metrics import Metrics, evaluate
from .generators import Classes, build_generator
from .model import ZeroShotModel
from .recognizers import Direct, fit_recognizer
from .runs import Interrupted, Run
from .scaling import Scaling
from .seeds import derive
from .settings import Settings
from .streams import CHUNK, Stream, on_device
from .training import build_optimizer, steps_per_epoch, train

__all__ = ["Fit"]

Judge = Callable[[int, dict[str, Any]], list[dict[str, Any]]]
"""From a candidate's place and its choice to what was found: one record for each way to recognise with it."""

LOG_STEPS = 20  # losses are read from the device and logged once in so many steps


class Fit:
    """One model in training: scaling, generator and the training features on the device.

    Args:
        training: what may be seen.
        settings: all settings; the seed among them.
        device: where to train.
        phase: the name of this fit in history and state.
    """

    def __init__(self, training: TrainingSet, settings: Settings, device: torch.device, phase: str):
        self.training, self.settings, self.phase = training, settings, phase
        self.seed = derive(settings.seed, phase)
        raw = on_device(training.features, device)
        self.scaling = Scaling.fit(raw, settings.scaling)
        self.x = Stream(raw.rows, device, self.scaling) if isinstance(raw, Stream) else self.scaling(raw)
        self.labels = torch.tensor(training.labels, device=device)
        self.classes = Classes.of(training, device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive(self.seed, "initial"))
            self.generator = build_generator(training.dim, self.classes, settings).to(device)
        self.epoch_steps = steps_per_epoch(len(self.x), settings.training.batch)
        self.warm: dict[str, dict[str, torch.Tensor]] = {}
        self.viewed: tuple[TestSets, TestSets] | None = None

    @property
    def is_closed_form(self) -> bool:
        """Whether the generator is fitted in one go, from a list of candidates, instead of trained step by step."""
        return hasattr(self.generator, "candidates")

    def judge_candidates(self, run: Run, points: list[int], judge: Judge) -> None:
        """Let ``judge(place, choice)`` judge every candidate, and log what it finds as ``judged`` events.

        The candidates are the settings listed for a closed form, judged in one go, or the steps ``points`` of training,
        of which those judged before an interruption are not judged again.
        """
        if not self.is_closed_form:
            self.run(run, points[-1], points, judge)
            return
        found = []
        run.display.begin(self.phase, self.generator.count)  # type: ignore[arg-type]
        for place, choice in enumerate(self.generator.candidates(self.x, self.labels)):  # type: ignore[operator]
            found += judge(place, choice)
            run.display.begin(self.phase, self.generator.count)  # type: ignore[arg-type]
            run.display.show(place + 1, {})
            run.stop_if_asked()
        run.log("judged", phase=self.phase, step=0, last=True, found=found)
        run.save_state(self.phase, 0, {})

    def make(self, run: Run, choice: dict[str, Any]) -> int:
        """Fit the generator as chosen; return the number of steps done."""
        if self.is_closed_form:
            self.generator.fit(self.x, self.labels, **choice)  # type: ignore[operator]
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
        if hasattr(self.generator, "prepare"):
            self.generator.prepare(self.x, self.labels)  # type: ignore[operator]
        optimizer = build_optimizer(self.generator, self.settings.training)
        start = self.restore(run, optimizer)
        run.display.begin(self.phase, steps)
        stepping = train(
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
                    run.log("train", phase=self.phase, step=step.number, **losses)
                    run.display.show(step.number, losses)
                if step.number in points and not run.events("judged", phase=self.phase, step=step.number):
                    found = judge(points.index(step.number), {"epoch": step.number / self.epoch_steps})
                    run.log("judged", phase=self.phase, step=step.number, last=step.number == steps, found=found)
                    run.display.begin(self.phase, steps)
                run.stop_if_asked()
            except Interrupted:
                run.save_state(self.phase, step.number, self.state(optimizer))
                raise
            if run.state_is_due():
                run.save_state(self.phase, step.number, self.state(optimizer))

    def check_losses(self, losses: dict[str, float], step: int) -> None:
        """Stop a run that has diverged: nothing good comes after."""
        if not all(map(math.isfinite, losses.values())):
            raise InputError(
                f"Training diverged: the loss of {self.phase} is not finite at step {step}; lower --training.lr, "
                f"now {self.settings.training.lr:g}."
            )

    def state(self, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
        """Parameters and what the optimizer remembers, by parameter name."""
        tensors = {f"model.{name}": value for name, value in self.generator.state_dict().items()}
        for name, parameter in self.generator.named_parameters():
            for key, value in optimizer.state.get(parameter, {}).items():
                tensors[f"{key}.{name}"] = value
        for kind, weights in self.warm.items():
            tensors |= {f"warm.{kind}|{name}": value for name, value in weights.items()}
        return tensors

    def restore(self, run: Run, optimizer: torch.optim.Optimizer) -> int:
        """Load the saved state of this phase, if any; return the number of steps done."""
        if run.state.get("phase") != self.phase:
            return 0
        tensors = run.state.pop("tensors")
        model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        try:
            self.generator.load_state_dict(model)
        except RuntimeError as error:
            raise InputError(
                f"state.safetensors in {run.folder} does not fit its config.yaml: one was altered; start a new run."
            ) from error
        for name, value in tensors.items():
            if name.startswith("warm."):
                kind, _, weight = name.removeprefix("warm.").partition("|")
                self.warm.setdefault(kind, {})[weight] = value.to(self.x.device)
        for name, parameter in self.generator.named_parameters():
            keys = ("step", "exp_avg", "exp_avg_sq")
            if f"step.{name}" in tensors:
                optimizer.state[parameter] = {k: tensors[f"{k}.{name}"].to(parameter.device) for k in keys}
        return run.state["step"]

    def models(
        self, run: Run, kind: str, *purpose: int | str, settings: Settings | None = None
    ) -> Iterator[ZeroShotModel]:
        """Fit a recognizer on the generator as it is now; yield the whole model after each of its epochs.

        The recognizer's settings are those of the fit, or of ``settings`` where others are tried.
        """
        settings = settings or self.settings
        self.generator.eval()
        fitting = fit_recognizer(
            kind,
            self.generator,
            self.x,
            self.labels,
            self.classes,
            settings,
            seed=derive(self.seed, "recognizer", *purpose),
            start=self.warm.get(str(settings.softmax)),
        )
        takes_long = kind == "softmax"
        if takes_long:
            run.display.begin(f"{self.phase}: softmax", settings.softmax.epochs)
        for epoch, recognizer in enumerate(fitting, 1):
            if takes_long:
                run.display.show(epoch, {})
            yield ZeroShotModel(self.scaling, self.generator, recognizer, self.classes)
            run.stop_if_asked()
            last = recognizer
        if takes_long and settings.softmax.warm:
            self.warm[str(settings.softmax)] = {name: t.clone() for name, t in last.state_dict().items()}
        self.generator.train()

    def test(self, model: ZeroShotModel, tests: TestSets, constant: float = 0.0) -> Metrics:
        """Measure a model on a pair of test sets."""
        t = self.training
        if not hasattr(self.generator, "view") or not isinstance(model.recognizer, Direct):
            return evaluate(model, tests, t.seen, t.unseen, constant=constant, to_tensor=model.tensor)
        if self.viewed is None or self.viewed[0] is not tests:
            self.viewed = tests, viewed(model, tests)
        return evaluate(
            model.recognizer, self.viewed[1], t.seen, t.unseen, constant=constant, to_tensor=torch.as_tensor
        )


@torch.no_grad()
def viewed(model: ZeroShotModel, tests: TestSets) -> TestSets:
    """Test sets as the recognizer looks at them, which is the same for all candidates of one fit."""

    def view(features: np.ndarray) -> torch.Tensor:
        starts = range(0, len(features), CHUNK)
        return torch.cat([model.view(model.tensor(features[start : start + CHUNK])) for start in starts])

    seen, unseen = view(tests.seen_features), view(tests.unseen_features)
    return replace(tests, seen_features=seen, unseen_features=unseen)  # type: ignore[arg-type]
