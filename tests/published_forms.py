"""Zoos in the forms of others, written by hand: plain PyTorch, NumPy and JSON, without the library's writers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn


def plain_cnn(seed: int, dropout: float = 0.0) -> nn.Sequential:
    """The digits CNN as somebody would write it; layers of dropout are there only where their rate is above zero."""
    torch.manual_seed(seed)
    layers = [nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Tanh(), nn.Dropout(dropout), nn.Conv2d(8, 6, 2), nn.Tanh()]
    layers += [nn.Dropout(dropout), nn.Flatten(), nn.Linear(24, 20), nn.Tanh(), nn.Dropout(dropout), nn.Linear(20, 10)]
    return nn.Sequential(*(one for one in layers if dropout > 0 or not isinstance(one, nn.Dropout))).eval()


def plain_perceptron(seed: int, dropout: float = 0.0) -> nn.Sequential:
    """The Tetris perceptron, which has few numbers to spoil."""
    torch.manual_seed(seed)
    layers = [nn.Flatten(), nn.Linear(16, 5, bias=False), nn.Tanh(), nn.Linear(5, 4, bias=False)]
    return nn.Sequential(*(layers[:3] + [nn.Dropout(dropout)] * (dropout > 0) + layers[3:])).eval()


def model_zoo(folder: Path, models: list[list[nn.Sequential]], dropouts: list[float]) -> Path:
    """A folder for each model, given as its checkpoints; the config lies about what the network gives."""
    for number, (epochs, dropout) in enumerate(zip(models, dropouts, strict=True)):
        place = folder / f"NN_tune_trainable_{number}"
        place.mkdir(parents=True)
        config = {"model::nlin": "tanh", "model::dropout": dropout, "model::init_type": "normal", "optim::lr": 1e-3}
        config |= {"seed": number, "model::o_dim": 4, "model::use_bias": False, "note": f"run {number}"}
        (place / "params.json").write_text(json.dumps(config))
        lines = []
        for epoch, model in enumerate(epochs):
            (place / f"checkpoint_{epoch:06d}").mkdir()
            state = {f"module_list.{name}": value for name, value in model.state_dict().items()}
            torch.save(state, place / f"checkpoint_{epoch:06d}" / "checkpoints")
            told = {"train_loss": 1.0, "train_acc": 0.5, "test_loss": 2.0, "test_acc": number / 10 + epoch / 100}
            told |= {"train_loss": -999, "train_acc": -999} if epoch == 0 else {}
            lines.append(json.dumps({**told, "training_iteration": epoch, "config": config}))
        (place / "result.json").write_text("\n".join(lines) + "\n")
    return folder


def small_cnn_zoo(folder: Path, models: list[list[nn.Sequential]]) -> Path:
    """One matrix in TensorFlow's order of axes: biases first, height x width x in x out, in x out."""
    folder.mkdir(parents=True)
    measures = "train_loss,train_accuracy,test_loss,test_accuracy"
    rows, metrics = [], [f"modeldir,step,{measures},config.activation,config.l2reg"]
    for number, epochs in enumerate(models):
        for epoch, model in enumerate(epochs):
            parts, layout, place = [], ["varname,start_idx,end_idx,shape"], 0
            for layer, (bias, kernel) in enumerate(_keras(model)):
                for name, array in (("bias", bias), ("kernel", kernel)):
                    if array is not None:
                        layout.append(f'net/{layer}/{name}:0,{place},{place + array.size},"{array.shape}"')
                        parts.append(array.ravel())
                        place += array.size
            rows.append(np.concatenate(parts))
            metrics.append(f"run/{number},{epoch},1.0,0.5,2.0,{number / 10 + epoch / 100},tanh,0.25")
    np.save(folder / "weights.npy", np.array(rows, np.float32))
    (folder / "metrics.csv.gz").write_bytes(gzip.compress("\n".join(metrics).encode()))
    (folder / "layout.csv").write_text("\n".join(layout))
    return folder


def _keras(model: nn.Sequential) -> list[tuple[np.ndarray | None, np.ndarray]]:
    """Bias and kernel of every layer; what reads a flattened image of several channels reads them last."""
    found, channels = [], 0
    for layer in model:
        if isinstance(layer, nn.Conv2d):
            channels = layer.out_channels
            found.append((layer.bias, layer.weight.permute(2, 3, 1, 0)))
        elif isinstance(layer, nn.Linear):
            weight = layer.weight
            if channels:
                side = round((weight.shape[1] / channels) ** 0.5)
                weight = weight.unflatten(1, (channels, side, side)).permute(0, 2, 3, 1).flatten(1)
            channels = 0
            found.append((layer.bias, weight.T))
    return [tuple(None if one is None else one.detach().numpy() for one in pair) for pair in found]


def answers_of_keras(model: nn.Sequential, images: np.ndarray) -> np.ndarray:
    """What the digits CNN answers, computed channels last with the kernels as Keras has them."""
    (b1, k1), (b2, k2), (b3, d1), (b4, d2) = _keras(model)
    x = images.transpose(0, 2, 3, 1)
    x = _convolved(x, k1) + b1
    count, side, _, width = x.shape
    x = np.tanh(x.reshape(count, side // 2, 2, side // 2, 2, width).max((2, 4)))
    x = np.tanh(_convolved(x, k2) + b2).reshape(count, -1)
    return np.tanh(x @ d1 + b3) @ d2 + b4


def _convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
    return np.einsum("bhwcij,ijco->bhwo", windows, kernel)


def checkpoints(folder: Path, models: list[list[nn.Sequential]]) -> Path:
    """A file per checkpoint, half of them in folders and of the one kind, and a table."""
    (folder / "more").mkdir(parents=True)
    lines = ["file,model,epoch,test_accuracy"]
    for number, epochs in enumerate(models):
        for epoch, model in enumerate(epochs):
            name = f"{'more/' if number % 2 else ''}m{number}_{epoch}"
            if number % 2:
                save_file(model.state_dict(), folder / f"{name}.safetensors")
            else:
                torch.save({"state_dict": model.state_dict(), "epoch": epoch}, folder / f"{name}.pt")
            lines.append(f"{name},{number},{epoch},{number / 10 + epoch / 100}")
    (folder / "table.csv").write_text("\n".join(lines))
    return folder
