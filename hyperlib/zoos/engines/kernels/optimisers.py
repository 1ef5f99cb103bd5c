"""One step of an optimiser, as `torch.optim` defines it (weight decay coupled to the gradient)."""

from __future__ import annotations

import numpy as np

from hyperlib.zoos.design import OPTIMIZERS
from hyperlib.zoos.engines.kernels.compiling import kernel
from hyperlib.zoos.engines.trainer import ADAM_DECAYS, ADAM_EPSILON, MOMENTUM, RMSPROP_DECAY, RMSPROP_EPSILON

# ruff: noqa: ANN001, ANN201, ANN202 (compiled functions, their types are Numba's)

KINDS = {name: number for number, name in enumerate(OPTIMIZERS)}
_SGD, _ADAM = KINDS["sgd"], KINDS["adam"]
_FIRST, _SECOND = ADAM_DECAYS
_NEW_FIRST, _OLD_SECOND, _NEW_SECOND = np.float32(1 - _FIRST), np.float32(_SECOND), np.float32(1 - _SECOND)
_ADAM_END, _RMSPROP_END = np.float32(ADAM_EPSILON), np.float32(RMSPROP_EPSILON)
_OLD_SQUARE, _NEW_SQUARE = np.float32(RMSPROP_DECAY), np.float32(1 - RMSPROP_DECAY)
_KEPT = np.float32(MOMENTUM)


@kernel
def step_down(kind, weights, gradient, first, second, lr, weight_decay, number):
    """Move the weights; `first` and `second` are the running means, `number` counts steps from 1."""
    rate, decay = np.float32(lr), np.float32(weight_decay)
    for n in range(len(weights)):
        gradient[n] += decay * weights[n]
    if kind == _SGD:
        for n in range(len(weights)):
            first[n] = _KEPT * first[n] + gradient[n]
            weights[n] -= rate * first[n]
    elif kind == _ADAM:
        pace = np.float32(lr / (1 - _FIRST**number))
        width = np.float32(1 / np.sqrt(1 - _SECOND**number))
        for n in range(len(weights)):
            first[n] += _NEW_FIRST * (gradient[n] - first[n])
            second[n] = _OLD_SECOND * second[n] + _NEW_SECOND * gradient[n] * gradient[n]
            weights[n] -= pace * first[n] / (np.sqrt(second[n]) * width + _ADAM_END)
    else:
        for n in range(len(weights)):
            second[n] = _OLD_SQUARE * second[n] + _NEW_SQUARE * gradient[n] * gradient[n]
            weights[n] -= rate * gradient[n] / (np.sqrt(second[n]) + _RMSPROP_END)
