"""How a representation is trained, whatever it learns: a plan, steps, validations, and a state that survives a kill.

Everything random about a step (which checkpoints, their views, dropout) comes from a generator keyed by the seed and
the number of the step. So a training that is resumed needs no generator's state, and gives to the bit what one without
interruption gives.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from hyperlib.representations.blocks import Source
from hyperlib.representations.cores import half_precision
from hyperlib.representations.divergence import READINGS
from hyperlib.representations.losses import CONTRASTS, mixed
from hyperlib.weightspace.randomness import key
from hyperlib.weightspace.values import is_whole
from hyperlib.zoos.checkpoint import StateFile

STREAMS = {"start": 0, "batch": 1, "views": 2, "dropout": 3, "validation": 4, "queries": 5}
WARM_UP = 0.1  # share of the steps in which the rate rises
CLIP = 1.0  # length of a gradient at most
Progress = bool | Callable[[int, int], None]
LOSSES = ("loss", "contrast", "reconstruction", "behaviour")
HISTORY = ("step", *LOSSES, *(f"val_{name}" for name in LOSSES))


@dataclass(frozen=True)
class Plan:
    """How long and how hard to train; see `HyperRep` for what each means."""

    steps: int
    batch_size: int
    per_model: int | None
    rate: float
    weight_decay: float
    mix: float
    contrast: str
    temperature: float
    validations: int
    patience: int | None
    seed: int
    behaviour: float = 0.0
    divergence: str = "kl"
    asked: tuple[int, int] = (48, 32)

    def __post_init__(self) -> None:
        if not is_whole(self.seed):
            raise ValueError(f"seed is a whole number of at most 64 bits, not {self.seed!r}.")
        for name, least in (("steps", 0), ("batch_size", 1), ("validations", 1)):
            value = getattr(self, name)
            if not is_whole(value, least):
                raise ValueError(f"{name} is a whole number from {least} on, not {value!r}.")
        for name in ("per_model", "patience"):
            value = getattr(self, name)
            if value is not None and not is_whole(value, 1):
                raise ValueError(f"{name} is a whole number from 1 on, or None, not {value!r}.")
        for name in ("seed", "steps", "batch_size", "validations", "per_model", "patience"):
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None else int(value))  # NumPy's could overflow
        if not 0 < self.rate < math.inf or not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"rate is above 0, weight_decay not below, not {self.rate!r} and {self.weight_decay!r}.")
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature is a number above 0, not {self.temperature!r}.")
        if not 0 <= self.mix <= 1:
            raise ValueError(f"mix is the contrast's share of the loss, between 0 and 1, not {self.mix!r}.")
        if self.contrast not in CONTRASTS:
            raise ValueError(f"There is no contrast {self.contrast!r}; choose from {', '.join(CONTRASTS)}.")
        number = isinstance(self.behaviour, Real) and not isinstance(self.behaviour, bool)
        if not number or not 0 <= self.behaviour < math.inf or (self.behaviour and self.mix == 1):
            raise ValueError(
                f"behaviour is the weight of a loss of rebuilt networks, from 0 on, not {self.behaviour!r}; with mix=1 "
                "nothing is rebuilt, and it must be 0."
            )
        if self.divergence not in READINGS:
            raise ValueError(f"There is no divergence {self.divergence!r}; choose from {', '.join(READINGS)}.")
        asked = self.asked
        if not isinstance(asked, tuple | list) or len(asked) != 2 or not all(is_whole(n, 1) for n in asked):
            raise ValueError(f"asked is (networks, queries) of a step, whole numbers from 1 on, not {asked!r}.")
        if self.mix and self.batch_size < 2:
            raise ValueError("A contrast needs a batch_size of 2 at least, for batch norm and for negatives.")

    def generator(self, stream: str, number: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator of its own for each purpose and step."""
        return torch.Generator(device).manual_seed(int(key([self.seed], STREAMS[stream], number)) % 2**63)

    def rate_at(self, step: int) -> float:
        """Rises linearly, then falls to zero along a cosine."""
        warm = max(1, round(WARM_UP * self.steps))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))

    @property
    def every(self) -> int:
        """Steps between two validations."""
        return max(1, -(-self.steps // self.validations))


class Objective(ABC):
    """What a training makes smaller: the losses of its networks, on training data of a step and on validation data.

    network and head: what is trained; the contrast looks through the head. source: where their dropout draws from.
    half: whether matrix products are in bfloat16.
    """

    def __init__(
        self, network: nn.Module, head: nn.Module, source: Source, plan: Plan, *, device: torch.device, half: bool
    ) -> None:
        self.network, self.head, self.source = network.to(device), head.to(device), source
        self.plan, self.device, self.half = plan, device, half
        self.units = torch.ones(2)  # of the errors of weights and of answers

    @abstractmethod
    def learn(self, step: int) -> list[Tensor]:
        """The `LOSSES` on what this step sees; a part without weight is NaN and not computed."""

    @abstractmethod
    def look(self) -> list[Tensor] | None:
        """The `LOSSES` on validation data, on views that stay the same; None where there are no such data."""

    @property
    def none(self) -> Tensor:
        """A part that is not computed."""
        return torch.full((), math.nan, device=self.device)

    def halved(self) -> torch.autocast:
        """A context in which matrix products have the precision of this training."""
        return half_precision(self.device, self.half)

    def contrast(self, views: tuple[Tensor, Tensor], models: Tensor) -> Tensor:
        """The contrast of two views of some rows, as the head sees them (batch norm sees one view at a time)."""
        return CONTRASTS[self.plan.contrast](*map(self.head, views), self.plan.temperature, models)

    def together(self, contrast: Tensor, rebuilt: Tensor, answers: Tensor, first: bool) -> list[Tensor]:
        """The loss, and its parts; `first`: whether this step's errors are the units of all others."""
        plan, both = self.plan, rebuilt
        if plan.behaviour:
            if plan.divergence == "kl":
                both = rebuilt + plan.behaviour * answers
            else:  # as released
                self.units = _units(rebuilt, answers) if first else self.units
                weights, behaviour = self.units.tolist()
                both = (rebuilt / weights + plan.behaviour * answers / behaviour) / (1 + plan.behaviour)
        parts = (contrast if plan.mix > 0 else None, both if plan.mix < 1 else None)
        return [mixed(*parts, plan.mix), contrast, rebuilt, answers]


class Trainer:
    """One training on its way: what it makes smaller, the optimiser, what was measured, and the step it is at."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.plan, self.device = objective, objective.plan, objective.device
        self.network, self.head = objective.network, objective.head
        self.step, self.history, self.best, self.best_state = 0, [], math.inf, None
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.optimiser = torch.optim.AdamW(
            parameters, lr=self.plan.rate, weight_decay=self.plan.weight_decay, fused=True
        )
        self.sums = torch.zeros(len(LOSSES), dtype=torch.float64)  # losses since the last validation
        self.counted = 0

    @property
    def done(self) -> bool:
        """Whether all steps were made, or validation has not improved for too long."""
        return self.step >= self.plan.steps or self._patience_is_over()

    def advance(self) -> None:
        """One step; a row of history after every `every` of them."""
        plan = self.plan
        for group in self.optimiser.param_groups:
            group["lr"] = plan.rate_at(self.step)
        self.network.train()
        self.head.train()
        self.objective.source.generator = plan.generator("dropout", self.step, self.device)
        losses = self.objective.learn(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        losses[0].backward()
        nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], CLIP)
        self.optimiser.step()
        self.sums += torch.stack([loss.detach().double().cpu() for loss in losses])
        self.counted += 1
        self.step += 1
        if self.step % plan.every == 0 or self.step == plan.steps:
            self._record()

    @torch.no_grad()
    def _record(self) -> None:
        """Mean training losses since the last row, and losses of validation models on views that stay the same."""
        row = dict.fromkeys(HISTORY, math.nan) | {"step": self.step}
        row |= dict(zip(LOSSES, (self.sums / self.counted).tolist(), strict=True))
        self.sums.zero_()
        self.counted = 0
        self.network.eval()
        self.head.eval()
        losses = self.objective.look()
        if losses is not None:
            row |= {f"val_{name}": float(loss) for name, loss in zip(LOSSES, losses, strict=True)}
            if row["val_loss"] < self.best:
                self.best = row["val_loss"]
                if self.plan.patience is not None:
                    self.best_state = {name: value.detach().clone() for name, value in self._modules().items()}
        self.history.append(row)

    def _patience_is_over(self) -> bool:
        if self.plan.patience is None or not self.history:
            return False
        losses = [row["val_loss"] for row in self.history]
        return len(losses) - 1 - min(range(len(losses)), key=losses.__getitem__) >= self.plan.patience

    def finish(self) -> pd.DataFrame:
        """The history; with patience the network goes back to where validation was best."""
        if self.plan.patience is not None and self.best_state is not None:
            self._load_modules(self.best_state)
        self.network.eval()
        self.head.eval()
        self.objective.source.generator = None
        return pd.DataFrame(self.history, columns=list(HISTORY)).astype(dict.fromkeys(HISTORY, float) | {"step": int})

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, as tensors by name."""
        state = {f"now.{name}": value for name, value in self._modules().items()}
        state |= {f"best.{name}": value for name, value in (self.best_state or {}).items()}
        for number, parameter in enumerate(p for g in self.optimiser.param_groups for p in g["params"]):
            for name, value in self.optimiser.state.get(parameter, {}).items():
                state[f"adam.{number}.{name}"] = value
        state["history"] = torch.tensor([[row[name] for name in HISTORY] for row in self.history], dtype=torch.float64)
        state["sums"] = torch.cat([self.sums, torch.tensor([self.counted, self.best], dtype=torch.float64)])
        state |= {"step": torch.tensor(self.step), "units": self.objective.units}
        return {name: value.detach().cpu().contiguous() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state; KeyError or RuntimeError where it is not one of this training."""
        self._load_modules({name.removeprefix("now."): v for name, v in state.items() if name.startswith("now.")})
        best = {name.removeprefix("best."): v for name, v in state.items() if name.startswith("best.")}
        self.best_state = best or None
        for number, parameter in enumerate(p for g in self.optimiser.param_groups for p in g["params"]):
            own = f"adam.{number}."
            values = {name.removeprefix(own): v for name, v in state.items() if name.startswith(own)}
            if values:
                self.optimiser.state[parameter] = {name: v.clone().to(self.device) for name, v in values.items()}
        self.history = [dict(zip(HISTORY, row, strict=True)) for row in state["history"].tolist()]
        for row in self.history:
            row["step"] = int(row["step"])
        *_, counted, self.best = state["sums"].tolist()
        self.sums, self.counted, self.objective.units = state["sums"][:-2].clone(), int(counted), state["units"].clone()
        self.step = int(state["step"])

    def _modules(self) -> dict[str, Tensor]:
        return {
            **{f"network.{name}": value for name, value in self.network.state_dict().items()},
            **{f"head.{name}": value for name, value in self.head.state_dict().items()},
        }

    def _load_modules(self, state: dict[str, Tensor]) -> None:
        for name, module in (("network.", self.network), ("head.", self.head)):
            own = {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
            module.load_state_dict(own)


def _units(rebuilt: Tensor, answers: Tensor) -> Tensor:
    """The errors of weights and of answers at the first step, in which both are counted; ValueError where one is 0."""
    units = torch.stack([rebuilt, answers]).detach().float().cpu()
    if not (torch.isfinite(units) & (units > 0)).all():
        raise ValueError(f"Errors of the first step, {units.tolist()}, are no units for others; set divergence='kl'.")
    return units


def run(trainer: Trainer, kept: StateFile | None, progress: Progress) -> None:
    """Train to the end, saving the state now and then (never in the middle of a step)."""
    if kept is not None and (state := kept.load()) is not None:
        trainer.restore(state)
    total = trainer.plan.steps
    with tqdm(total=total, initial=trainer.step, unit=" steps", disable=progress is not True, mininterval=1.0) as bar:
        while not trainer.done:
            trainer.advance()
            if callable(progress):
                progress(trainer.step, total)
            else:
                bar.update()
                if trainer.history and trainer.step == trainer.history[-1]["step"]:
                    bar.set_postfix({name: f"{trainer.history[-1][name]:.3f}" for name in ("loss", "val_loss")})
            if kept is not None and kept.due():
                kept.save(trainer.state())
    if callable(progress):
        progress(total, total)  # also where it stopped early
