"""How a representation is trained, whatever it learns: steps, validations, and a state that survives a kill.

Everything random about a step comes from a generator keyed by the seed and the number of the step (see `plan`), so a
training that is resumed gives to the bit what one without interruption gives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from hyperlib.files.state import StateFile, alike, job_folder
from hyperlib.representations.objective import LOSSES, Objective
from hyperlib.weightspace.recording import Recording

CLIP = 1.0  # length of a gradient at most
Progress = bool | Callable[[int, int], None]
HISTORY = ("step", *LOSSES, *(f"val_{name}" for name in LOSSES))


class Trainer:
    """One training on its way: what it makes smaller, the optimiser, what was measured, and the step it is at."""

    def __init__(self, objective: Objective) -> None:
        self.objective, self.plan, self.device = objective, objective.plan, objective.device
        self.network, self.head = objective.network, objective.head
        self.step, self.history, self.best, self.best_state = 0, [], math.inf, None
        parameters = [*self.network.parameters(), *self.head.parameters()]
        self.dropout = torch.Generator(self.device)
        self.recording = Recording(self.device, [self.dropout])
        self.optimiser = self._optimiser(parameters)
        self.sums = torch.zeros(len(LOSSES), dtype=torch.float64, device=self.device)  # of losses, since validation
        self.counted = 0

    def _optimiser(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW; where its steps are recorded, its rate is a number on the card."""
        played = self.recording.records
        rate = torch.tensor(self.plan.rate, dtype=torch.float32, device=self.device) if played else self.plan.rate
        optimiser = torch.optim.AdamW(
            parameters, lr=rate, weight_decay=self.plan.weight_decay, fused=True, capturable=played
        )
        optimiser._warned_capturable_if_run_uncaptured = True  # the first steps are not recorded, and need no warning
        return optimiser

    @property
    def done(self) -> bool:
        """Whether all steps were made, or validation has not improved for too long."""
        return self.step >= self.plan.steps or self._patience_is_over()

    def advance(self) -> None:
        """One step; a row of history after every `every` of them."""
        plan = self.plan
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(plan.rate_at(self.step))
            else:
                group["lr"] = plan.rate_at(self.step)
        self.network.train()
        self.head.train()
        self.dropout.manual_seed(plan.seed_of("dropout", self.step))
        self.objective.source.generator = self.dropout
        seen = self.objective.prepared(self.step) if self.step else None  # the first step finds units
        if seen is None:
            self._descend(self.objective.learn(self.step))
        else:
            self.recording.play(lambda *held: self._descend(self.objective.learned(*held)), *seen)
        self.counted += 1
        self.step += 1
        if self.step % plan.every == 0 or self.step == plan.steps:
            self._record()

    def _descend(self, losses: list[Tensor]) -> None:
        """What a step does with its losses, without a question to the card."""
        self.optimiser.zero_grad(set_to_none=True)
        losses[0].backward()
        nn.utils.clip_grad_norm_([p for g in self.optimiser.param_groups for p in g["params"]], CLIP)
        self.optimiser.step()
        self.sums += torch.stack([loss.detach().double() for loss in losses])

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
        counts = torch.tensor([self.counted, self.best], dtype=torch.float64)
        state["sums"] = torch.cat([self.sums.cpu(), counts])
        state |= {"step": torch.tensor(self.step), "units": self.objective.units}
        return {name: value.detach().cpu().contiguous() for name, value in state.items()}

    def fits(self, state: dict[str, Tensor]) -> bool:
        """Whether a state has the form of one of this training, and its parts agree."""
        fresh, step = self.state(), state.get("step")
        if not alike(step, fresh["step"]) or not 0 <= int(step) <= self.plan.steps:  # type: ignore[arg-type]
            return False
        forms = {name: value for name, value in fresh.items() if name not in ("history", "step")}
        best = {name.replace("now.", "best.", 1): value for name, value in forms.items() if name.startswith("now.")}
        adam = {f"adam.{number}.{name}": torch.zeros(() if name == "step" else parameter.shape)
                for number, parameter in enumerate(p for g in self.optimiser.param_groups for p in g["params"])
                for name in ("step", "exp_avg", "exp_avg_sq")}  # fmt: skip
        forms |= best if any(name.startswith("best.") for name in state) else {}
        forms |= {name: value for name, value in adam.items() if name in state}
        if state.keys() != forms.keys() | {"history", "step"} or not all(alike(state[n], v) for n, v in forms.items()):
            return False
        history = state["history"] if state["history"].numel() else torch.empty(0, len(HISTORY), dtype=torch.float64)
        if history.shape[1:] != (len(HISTORY),) or history.dtype != torch.float64:
            return False
        steps = [*history[:, 0].tolist(), *([] if len(history) else [0])]
        counted = int(step) - steps[-1]  # type: ignore[arg-type]
        known = [v for n, v in state.items() if n.startswith(("now.", "best.", "adam.")) or n == "units"]
        return (
            steps == sorted(steps) and counted == float(state["sums"][-2]) and counted >= 0
            and not any(value.isnan().any() for value in known)
        )  # fmt: skip

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state that `fits`."""
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
        self.sums.copy_(state["sums"][:-2])  # in place, where a recorded step knows them
        self.objective.units.copy_(state["units"])
        self.counted, self.step = int(counted), int(state["step"])

    def _modules(self) -> dict[str, Tensor]:
        return {
            **{f"network.{name}": value for name, value in self.network.state_dict().items()},
            **{f"head.{name}": value for name, value in self.head.state_dict().items()},
        }

    def _load_modules(self, state: dict[str, Tensor]) -> None:
        for name, module in (("network.", self.network), ("head.", self.head)):
            own = {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}
            module.load_state_dict(own)


def run(trainer: Trainer, kept: Path | str | None, signature: Callable[[], str], progress: Progress) -> pd.DataFrame:
    """Train to the end and give the history; with a folder `kept`, from the state there, which is saved now and then.

    signature: all that decides the training, in words; a state of another training is refused with a ValueError.
    """
    if kept is None:
        _train(trainer, None, progress)
    else:
        with job_folder(Path(kept)) as folder:
            _train(trainer, StateFile(folder / "training.safetensors", signature()), progress)
    history = trainer.finish()
    if not all(torch.isfinite(values).all() for values in trainer.network.state_dict().values()):
        raise ValueError("The training diverged: its weights are not finite. Lower rate, or standardise the weights.")
    return history


def _train(trainer: Trainer, kept: StateFile | None, progress: Progress) -> None:
    """Step by step; the state is never saved in the middle of one."""
    if kept is not None and (state := kept.load()) is not None:
        if trainer.fits(state):
            trainer.restore(state)
        else:
            kept.say_damaged()
    total = trainer.plan.steps
    with tqdm(total=total, initial=trainer.step, unit=" steps", disable=progress is not True, mininterval=1.0) as bar:
        while not trainer.done:
            trainer.advance()
            if callable(progress):
                progress(trainer.step, total)
            else:
                bar.update()
                if trainer.history and trainer.step == trainer.history[-1]["step"]:
                    shown = {name: trainer.history[-1][name] for name in ("loss", "val_loss")}
                    bar.set_postfix({name: f"{loss:.3f}" for name, loss in shown.items() if not math.isnan(loss)})
            if kept is not None and kept.due():
                kept.save(trainer.state())
    if callable(progress):
        progress(total, total)  # also where it stopped early
