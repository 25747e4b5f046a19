"""Fitting one model: the training loop with its evaluations, saved states and interruptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from .data import TestSets, TrainingSet
from .errors import InputError
from .evaluation.metrics import Metrics, evaluate
from .generators import Classes, build_generator
from .model import ZeroShotModel
from .recognizers import fit_softmax
from .runs import Interrupted, Run
from .scaling import Scaling
from .seeds import derive
from .settings import Settings
from .training import build_optimizer, steps_per_epoch, train

__all__ = ["Fit"]

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
        raw = torch.tensor(training.features, device=device)
        self.scaling = Scaling.fit(raw, settings.scaling)
        self.x = self.scaling(raw)
        self.labels = torch.tensor(training.labels, device=device)
        self.classes = Classes.of(training, device)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive(self.seed, "initial"))
            self.generator = build_generator(training.dim, self.classes, settings).to(device)
        self.epoch_steps = steps_per_epoch(len(self.x), settings.training.batch)

    def run(self, run: Run, steps: int, judge_at: set[int], judge: Callable[[int], list[dict[str, Any]]]) -> None:
        """Train for ``steps`` steps; at each step of ``judge_at`` log what ``judge(step)`` finds as a ``judged`` event.

        Takes up the saved state where ``run`` has one of this phase; saves the state when asked to stop.

        Raises:
            InputError: if the loss is no longer finite.
            Interrupted: if the run was asked to stop.
        """
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
                if step.number in judge_at and not run.events("judged", phase=self.phase, step=step.number):
                    found = judge(step.number)
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
        return tensors

    def restore(self, run: Run, optimizer: torch.optim.Optimizer) -> int:
        """Load the saved state of this phase, if any; return the number of steps done."""
        if run.state.get("phase") != self.phase:
            return 0
        tensors = run.state.pop("tensors")
        model = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
        self.generator.load_state_dict(model)
        for name, parameter in self.generator.named_parameters():
            keys = ("step", "exp_avg", "exp_avg_sq")
            if f"step.{name}" in tensors:
                optimizer.state[parameter] = {k: tensors[f"{k}.{name}"].to(parameter.device) for k in keys}
        return run.state["step"]

    def models(self, run: Run, step: int) -> Iterator[ZeroShotModel]:
        """Fit the recognizer on the generator as it is now; yield the whole model after each of its epochs."""
        self.generator.eval()
        seed = derive(self.seed, "recognizer", step)
        settings = self.settings.softmax
        run.display.begin(f"{self.phase}: recognizer", settings.epochs)
        fitting = fit_softmax(self.generator, self.x, self.labels, self.classes, settings, seed=seed)  # type: ignore[arg-type]
        for epoch, recognizer in enumerate(fitting, 1):
            run.display.show(epoch, {})
            yield ZeroShotModel(self.scaling, self.generator, recognizer, self.classes)
            run.stop_if_asked()
        self.generator.train()

    def test(self, model: ZeroShotModel, tests: TestSets, constant: float = 0.0) -> Metrics:
        """Measure a model on a pair of test sets."""
        t = self.training
        return evaluate(model, tests, t.seen, t.unseen, constant=constant, to_tensor=model.tensor)
