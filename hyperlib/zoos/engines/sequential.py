"""One model after the other in plain PyTorch: slow, obvious, and the oracle of the other engines.

Only the random choices (batch order, dropout) come from the block, so that a model trained here can be compared with
the same row of a batched population.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from hyperlib.weightspace.architecture import Network
from hyperlib.zoos.engines.trainer import MOMENTUM, RMSPROP_DECAY, Block

_PIECE = 1000  # images evaluated at once, which bounds memory


class SequentialTrainer:
    """Trainer of one block, model by model, with `torch.nn` and `torch.optim`."""

    def __init__(self, block: Block, weights: Float[Tensor, "models params"]) -> None:
        self.block = block
        self.train_x = block.images.train_x.to(block.device)
        self.train_y = block.images.train_y.to(block.device)
        self.alone = [replace(block, design=block.design.iloc[[model]]) for model in range(len(weights))]
        self.networks = [self._network(row) for row in weights]
        self.optimizers = [
            _optimizer(block.optimizer, network, lr, decay)
            for network, lr, decay in zip(self.networks, block.design["lr"], block.design["weight_decay"], strict=True)
        ]

    def _network(self, weights: Float[Tensor, " params"]) -> Network:
        network = self.block.architecture.module(weights).to(self.block.device)
        for parameter in network.parameters():
            parameter.requires_grad_(True)
        return network

    @property
    def weights(self) -> Float[Tensor, "models params"]:
        layout = self.block.architecture.layout
        return torch.stack([layout.flatten(network.state_dict()) for network in self.networks]).cpu()

    def train_epoch(self, epoch: int) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        order = self.block.order(epoch).to(self.block.device)
        totals = [self._train_one(model, epoch, order[model]) for model in range(len(self.networks))]
        loss, accuracy = torch.tensor(totals, dtype=torch.float64).T / self.block.num_images
        return loss, accuracy

    def _train_one(self, model: int, epoch: int, order: Int[Tensor, " images"]) -> tuple[float, float]:
        network, optimizer = self.networks[model].train(), self.optimizers[model]
        loss_sum, hits = 0.0, 0.0
        for step, places in enumerate(order.split(self.block.batch_size)):
            handles = self._keyed_dropout(model, epoch, step) if self.block.drops else []
            scores = network(self.train_x[places])
            loss = F.cross_entropy(scores, self.train_y[places])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for handle in handles:
                handle.remove()
            loss_sum += float(loss.detach()) * len(places)
            hits += float((scores.argmax(-1) == self.train_y[places]).sum())
        return loss_sum, hits

    def _keyed_dropout(self, model: int, epoch: int, step: int) -> list[RemovableHandle]:
        """Replace what the dropout layers give by the model's own factors for this step."""

        def keyed(place: int, module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
            shape = (inputs[0].shape[0], 1, *inputs[0].shape[1:])
            return inputs[0] * self.alone[model].dropout_factors(epoch, step, place, shape)[:, 0]

        layers = dict(self.networks[model].named_modules())
        return [
            layers[name].register_forward_hook(partial(keyed, place))
            for place, name in enumerate(self.networks[model].names)
            if isinstance(layers.get(name), nn.Dropout)
        ]

    @torch.no_grad()
    def evaluate(
        self, x: Float[Tensor, "images c h w"], y: Int[Tensor, " images"]
    ) -> tuple[Float[Tensor, " models"], Float[Tensor, " models"]]:
        totals = torch.zeros(len(self.networks), 2, dtype=torch.float64)
        for images, labels in zip(x.split(_PIECE), y.split(_PIECE), strict=True):
            images, labels = images.to(self.block.device), labels.to(self.block.device)
            for model, network in enumerate(self.networks):
                scores = network.eval()(images)
                totals[model, 0] += float(F.cross_entropy(scores, labels, reduction="sum"))
                totals[model, 1] += float((scores.argmax(-1) == labels).sum())
        loss, accuracy = totals.T / len(x)
        return loss, accuracy

    def state(self) -> dict[str, Tensor]:
        held = {"weights": self.weights}
        for model, optimizer in enumerate(self.optimizers):
            for number, values in optimizer.state_dict()["state"].items():
                held |= {f"{model}.{number}.{name}": v.cpu() for name, v in values.items() if v is not None}
        return held

    def restore(self, state: dict[str, Tensor]) -> None:
        layout = self.block.architecture.layout
        for model, (network, optimizer) in enumerate(zip(self.networks, self.optimizers, strict=True)):
            network.load_state_dict(layout.unflatten(state["weights"][model]), strict=False)
            saved = optimizer.state_dict()
            for name, value in state.items():
                if name.startswith(f"{model}."):
                    _, number, part = name.split(".")
                    saved["state"].setdefault(int(number), {})[part] = value.clone()
            optimizer.load_state_dict(saved)


def _optimizer(name: str, network: nn.Module, lr: float, weight_decay: float) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD(network.parameters(), lr=lr, momentum=MOMENTUM, weight_decay=weight_decay)
    if name == "adam":
        return torch.optim.Adam(network.parameters(), lr=lr, weight_decay=weight_decay)
    return torch.optim.RMSprop(network.parameters(), lr=lr, alpha=RMSPROP_DECAY, weight_decay=weight_decay)
