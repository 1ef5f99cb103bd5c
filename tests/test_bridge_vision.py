"""Modules that read images, points and vectors: the units that theory gives them, and no other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from moves_by_hand import Case, hold_by_hand, is_found_back
from torch import nn

from hyperlib import from_module
from hyperlib.weightspace.architectures import ARCHITECTURES, mini_alexnet, resnet18

pytestmark = pytest.mark.filterwarnings("ignore:The units")  # those that stay are named once

IMAGES = torch.zeros(2, 3, 8, 8)


class Calling(nn.Module):
    """Layers by name, and a function of them and the inputs."""

    def __init__(self, forward, **layers) -> None:
        super().__init__()
        self.function = forward
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def mlp():
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
    return Case(module, torch.zeros(2, 4), {"0": 8, "2": 6}, signs={"0"}, scales={"2"})


def cnn():
    layers = (nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 3, bias=False))
    module = nn.Sequential(*layers, nn.Tanh(), nn.Flatten(), nn.Linear(4, 3))
    return Case(module, IMAGES, {"0": 5, "4": 4}, signs={"0", "4"}, scales={"1"})


def grouped():
    layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 12, 3, groups=4), nn.Tanh())
    module = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 3))
    return Case(module, IMAGES, {"0#1": 4, "0#2": 2, "2#2": 3}, {"0#2": "0#1", "2#2": "0#1"})


def depthwise():
    layers = (nn.Conv2d(3, 6, 1), nn.ReLU(), nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(), nn.Conv2d(6, 2, 1))
    return Case(nn.Sequential(*layers), IMAGES, {"0": 6})


def depthwise_that_widens():
    layers = (nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, groups=4), nn.ReLU(), nn.Conv2d(8, 2, 1))
    return Case(nn.Sequential(*layers), IMAGES, {"0": 4, "2#2": 2}, {"2#2": "0"})


def transposed():
    layers = (nn.ConvTranspose2d(3, 5, 2, stride=2), nn.Tanh(), nn.ConvTranspose2d(5, 2, 3, output_padding=1, stride=2))
    return Case(nn.Sequential(*layers), IMAGES, {"0": 5})


def transposed_in_groups():
    layers = (nn.Conv2d(3, 6, 1), nn.ReLU(), nn.ConvTranspose2d(6, 4, 2, groups=2), nn.ReLU(), nn.Conv2d(4, 2, 1))
    return Case(nn.Sequential(*layers), IMAGES, {"0#1": 2, "0#2": 3, "2": 2}, {"0#2": "0#1", "2": "0#1"})


def sound():
    layers = (nn.Conv1d(2, 6, 3, dilation=2), nn.InstanceNorm1d(6, affine=True), nn.ELU(), nn.MaxPool1d(2))
    return Case(nn.Sequential(*layers, nn.Flatten(), nn.Linear(18, 3)), torch.zeros(3, 2, 10), {"0": 6})


def volumes():
    layers = (nn.Conv3d(1, 4, 3), nn.BatchNorm3d(4, affine=False), nn.LeakyReLU(), nn.AvgPool3d(2), nn.Flatten())
    return Case(nn.Sequential(*layers, nn.Linear(4, 3)), torch.zeros(3, 1, 4, 4, 4), {"0": 4})


def norms():
    layers = (nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 6), nn.ReLU(), nn.Conv2d(6, 5, 3), nn.InstanceNorm2d(5), nn.ReLU())
    more = (nn.Flatten(), nn.Linear(80, 7), nn.LayerNorm(7), nn.ReLU(), nn.Linear(7, 4), nn.RMSNorm(4), nn.Linear(4, 2))
    groups = {"0#1": 2, "0#2": 3, "3": 5, "7": 7, "10": 4}
    return Case(nn.Sequential(*layers, *more), IMAGES, groups, {"0#2": "0#1"}, scales={"1", "8", "11"})


def slopes():
    layers = (nn.Linear(4, 8), nn.PReLU(8), nn.Linear(8, 6), nn.PReLU(), nn.Linear(6, 2))
    return Case(nn.Sequential(*layers), torch.zeros(3, 4), {"0": 8, "2": 6}, signs=set(), scales={"0", "2"})


def padded_resnet():
    def forward(self, x):
        x = F.relu(self.stem_norm(self.stem(x)))
        new = self.two_norm(self.two(F.relu(self.one_norm(self.one(x)))))
        x = F.relu(new + F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)))
        return self.fc(F.avg_pool2d(x, x.size(3)).flatten(1))

    def conv(read, write, stride=1):
        return nn.Conv2d(read, write, 3, stride, 1, bias=False)

    convs = {"stem": conv(3, 8), "one": conv(8, 16, 2), "two": conv(16, 16)}
    layers = {"stem_norm": nn.BatchNorm2d(8), "one_norm": nn.BatchNorm2d(16), "two_norm": nn.BatchNorm2d(16)}
    module = Calling(forward, **convs, **layers, fc=nn.Linear(16, 10))
    return Case(module, IMAGES, {"stem": 8, "one": 16, "two[0:4]": 4, "two[12:16]": 4})


def densenet():
    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = torch.cat([x, block(x)], 1)
        return self.fc(x.mean((2, 3)))

    blocks = [nn.Sequential(nn.BatchNorm2d(w), nn.ReLU(), nn.Conv2d(w, 3, 3, padding=1)) for w in (4, 7, 10)]
    module = Calling(forward, stem=nn.Conv2d(3, 4, 3), blocks=nn.ModuleList(blocks), fc=nn.Linear(13, 5))
    return Case(module, IMAGES, {"stem": 4, "blocks.0.2": 3, "blocks.1.2": 3, "blocks.2.2": 3})


def unet():
    def forward(self, x):
        one = F.elu(self.one(x))
        return self.out(torch.cat([one, F.relu(self.up(F.relu(self.norm(self.two(one)))))], 1))

    layers = {"one": nn.Conv2d(3, 4, 3, padding=1), "two": nn.Conv2d(4, 6, 3, 2, 1), "norm": nn.GroupNorm(2, 6)}
    module = Calling(forward, **layers, up=nn.ConvTranspose2d(6, 5, 2, 2), out=nn.Conv2d(9, 2, 1))
    return Case(module, IMAGES, {"one": 4, "two#1": 2, "two#2": 3, "up": 5}, {"two#2": "two#1"})


def squeeze_and_excite():
    def forward(self, x):
        y = self.wide(x + self.block(x))
        return self.fc(F.hardswish((y * self.gate(y)).mean((2, 3))))

    inside = (nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.BatchNorm2d(6), nn.ReLU6(), nn.Conv2d(6, 3, 1))
    block = nn.Sequential(nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.ReLU6(), *inside)
    gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(7, 2, 1), nn.SiLU(), nn.Conv2d(2, 7, 1), nn.Sigmoid())
    module = Calling(forward, block=block, wide=nn.Conv2d(3, 7, 1), gate=gate, fc=nn.Linear(7, 4))
    return Case(module, IMAGES, {"block.0": 6, "wide": 7, "gate.1": 2})


def siren():
    def forward(self, x):
        return self.out(torch.sin(30 * self.two(torch.sin(30 * self.one(x)))))

    module = Calling(forward, one=nn.Linear(2, 8), two=nn.Linear(8, 7), out=nn.Linear(7, 3))
    return Case(module, torch.zeros(5, 2), {"one": 8, "two": 7}, signs={"one", "two"}, scales=set())


def shuffled():
    layers = (nn.Conv2d(3, 8, 1), nn.ReLU(), nn.PixelShuffle(2), nn.Conv2d(2, 3, 1), nn.ReLU(), nn.PixelUnshuffle(2))
    return Case(nn.Sequential(*layers, nn.Conv2d(12, 2, 1)), IMAGES, {"0": 2, "3": 3}, {"0": ""}, names=False)


def shuffled_channels():
    layers = (nn.Conv2d(3, 6, 1, groups=1), nn.ReLU(), nn.ChannelShuffle(2), nn.Conv2d(6, 2, 1))
    return Case(nn.Sequential(*layers), IMAGES, {"0#1": 2, "0#2": 3}, {}, names=False)


def windows():
    layers = (nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Unfold(2, stride=2), nn.Flatten(), nn.Linear(256, 3))
    return Case(nn.Sequential(*layers), IMAGES, {"0": 4})


def autoencoder():
    encoder = (nn.Conv2d(3, 4, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    decoder = (nn.Linear(5, 64), nn.ReLU(), nn.Unflatten(1, (4, 4, 4)), nn.ConvTranspose2d(4, 3, 2, 2))
    return Case(nn.Sequential(*encoder, *decoder), IMAGES, {"0": 4, "3": 5, "4": 4}, {}, names=False)


def siamese():
    def forward(self, x, y):
        return self.out((self.one(x).tanh() - self.one(y).tanh()).abs())

    module = Calling(forward, one=nn.Linear(4, 6), out=nn.Linear(6, 1))
    return Case(module, (torch.zeros(3, 4), torch.zeros(3, 4)), {"one": 6})


def residual_mlp():
    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.out(x)

    blocks = [nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 6)) for _ in range(2)]
    module = Calling(forward, stem=nn.Linear(4, 6), blocks=nn.ModuleList(blocks), out=nn.Linear(6, 2))
    groups = {"stem": 6, "blocks.0.0": 9, "blocks.1.0": 9}
    return Case(module, torch.zeros(3, 4), groups, signs=set(groups), scales={"stem"})


def hypernetwork():
    def forward(self, code, x):
        weight = self.maker(torch.tanh(self.code(code))).view(5, 4)
        return self.out(torch.tanh(x @ weight.T))

    module = Calling(forward, code=nn.Linear(2, 3), maker=nn.Linear(3, 20), out=nn.Linear(5, 2))
    return Case(module, (torch.zeros(2), torch.zeros(3, 4)), {"code": 3, "maker": 5}, {}, names=False)


def experts():
    def forward(self, x):
        answers = torch.stack([expert(x) for expert in self.experts], 1)
        return self.out((self.gate(x).softmax(-1)[..., None] * answers).sum(1))

    made = nn.ModuleList(nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 6)) for _ in range(3))
    module = Calling(forward, experts=made, gate=nn.Linear(4, 3), out=nn.Linear(6, 2))
    return Case(module, torch.zeros(3, 4), {f"experts.{n}.0": 5 for n in range(3)} | {"experts.0.2": 6})


def pooled_in_three_ways():
    def forward(self, x):
        x = self.one(x)
        length = x.norm(dim=1).mean((1, 2))[:, None]
        return self.out(torch.cat([x.mean((2, 3)), x.amax((2, 3)), x.std((2, 3))], 1)) + length

    return Case(Calling(forward, one=nn.Conv2d(3, 5, 3), out=nn.Linear(15, 2)), IMAGES, {"one": 5}, signs=set())


def fourier_beside():
    def forward(self, x):
        return self.out(torch.relu(self.two(torch.fft.fft(self.one(x)).real)))

    module = Calling(forward, one=nn.Linear(4, 6), two=nn.Linear(6, 5), out=nn.Linear(5, 2))
    return Case(module, torch.zeros(3, 4), {"two": 5}, walls=True)


def parametrised():
    norms = nn.utils.parametrizations
    layers = (norms.weight_norm(nn.Linear(4, 6)), nn.Tanh(), norms.spectral_norm(nn.Linear(6, 5)), nn.ReLU())
    return Case(nn.Sequential(*layers, nn.Linear(5, 2)), torch.zeros(3, 4), {"0": 6, "2": 5})


def bilinear():
    def forward(self, x):
        return self.both(self.one(x), self.two(x))

    module = Calling(forward, one=nn.Linear(4, 6), two=nn.Linear(4, 5), both=nn.Bilinear(6, 5, 3))
    return Case(module, torch.zeros(3, 4), {"one": 6, "two": 5}, scales={"one", "two"})


def two_heads():
    def forward(self, x):
        x = self.trunk(x)
        return {"policy": self.policy(x), "value": self.value(x)}

    trunk = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 8), nn.Tanh())
    module = Calling(forward, trunk=trunk, policy=nn.Linear(8, 3), value=nn.Linear(8, 1))
    return Case(module, torch.zeros(4, 6), {"trunk.0": 9, "trunk.2": 8}, signs={"trunk.0", "trunk.2"})


CASES = [
    *(mlp, cnn, grouped, depthwise, depthwise_that_widens, transposed, transposed_in_groups, sound, volumes, norms),
    *(slopes, padded_resnet, densenet, unet, squeeze_and_excite, siren, shuffled, shuffled_channels, windows),
    *(autoencoder, siamese, residual_mlp, hypernetwork, experts, pooled_in_three_ways, fourier_beside, parametrised),
    *(bilinear, two_heads),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda make: make.__name__)
def case(request):
    torch.manual_seed(0)
    return request.param().traced()


def test_a_network_has_the_groups_that_theory_gives(case):
    case.has_its_groups()


def test_every_move_that_is_offered_holds_by_hand(case):
    hold_by_hand(case)


def test_planted_moves_are_found_back(case):
    is_found_back(case)


# -- the networks of the book ------------------------------------------------------------------------------------------


def groups_of(structure):
    """Where the units of every group stand."""
    found = {}
    for piece in structure.pieces:
        for axis, group in enumerate(piece.groups):
            place = (piece.slot.name, piece.start - piece.slot.start, piece.strides[axis], piece.sizes[axis])
            found.setdefault(group, set()).add(place)
    return {frozenset(places) for group, places in found.items() if group}


def free_signals_of(structure):
    """Where the units of every signal stand that may have signs or scales, and which."""
    found = {}
    for piece in structure.pieces:
        for power in piece.powers:
            strides = tuple(piece.strides[axis] for axis in power.axes)
            place = (piece.slot.name, piece.start - piece.slot.start, strides, power.power)
            found.setdefault(power.signal, set()).add(place)
    free = {name: (not one.against_signs, not one.against_scaling) for name, one in structure.signals.items()}
    return {(frozenset(places), free[name]) for name, places in found.items() if any(free[name])}


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("make", [*ARCHITECTURES.values(), mini_alexnet, resnet18], ids=lambda make: make.__name__)
def test_a_module_of_the_book_has_the_units_of_its_layers(make, activation):
    architecture = make()
    if make is resnet18 and activation != "relu":
        pytest.skip("the residual network of ResNet-18 has ReLU")
    architecture = architecture.with_activation(activation)
    network = from_module(architecture.module(architecture.initialise([0])[0]), torch.zeros(2, *architecture.image))

    assert network.layout.slots == architecture.layout.slots
    assert groups_of(network.structure) == groups_of(architecture.structure)
    assert free_signals_of(network.structure) == free_signals_of(architecture.structure)
