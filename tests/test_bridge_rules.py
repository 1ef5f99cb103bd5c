"""What single operations do to units: a graph by itself promises only what holds, whatever numbers show of it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from moves_by_hand import Case, hold_by_hand
from test_bridge_vision import Calling
from torch import nn

from hyperlib import from_module
from hyperlib.weightspace.bridge.tracing import traced
from hyperlib.weightspace.bridge.walking import walked
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.traced_module import TracedModule, bare

pytestmark = pytest.mark.filterwarnings("ignore:The units")  # those that stay are named once
X = torch.zeros(3, 4)
TURNED = torch.tensor([2, 1, 0])


def promised(module, inputs):
    """The network with all moves that its graph promises, none of them tried."""
    layout = Layout.from_state_dict(module)
    walk = walked(traced(module, inputs), layout)
    more = {"kind": "", "outputs": walk.outputs, "activations": walk.activations, "walls": walk.walls}
    return TracedModule("promised", layout, walk.structure, module=bare(module), **more)


def between(function):
    """Six units, written by one layer and read by another, with a function of them between, and weights for it."""

    def forward(self, x):
        return self.out(function(self.one(x), self))

    module = Calling(forward, one=nn.Linear(4, 6), out=nn.Linear(6, 2))
    shapes = {"square": (3, 3), "small": (3, 2), "two": (2,), "six": (6,), "all": (6, 6)}
    for name, shape in shapes.items():
        setattr(module, name, nn.Parameter(torch.randn(shape)))
    return module


def in_blocks(function):
    """The same with the units in three blocks of two."""
    return lambda x, own: function(x.unflatten(-1, (3, 2)), own).flatten(-2)


PLAIN = {
    "halves side by side": lambda x, own: torch.cat([x[:, 3:], x[:, :3]], 1) + 1,
    "some units": lambda x, own: F.pad(x[:, 1:4].tanh(), (1, 2)),
    "one is set": lambda x, own: torch.cat([x[:, :2], torch.ones_like(x[:, :1]), x[:, 3:]], 1),
    "product with itself": lambda x, own: x * x.mean(1, keepdim=True),
    "square of weights": lambda x, own: x @ (own.all @ own.all.T),
    "weights and their transpose": lambda x, own: x @ (own.all + own.all.T),
    "all pairs": lambda x, own: (x[:, :, None] * x[:, None]).sum(1),
    "all pairs, weighed": lambda x, own: (x[:, :, None] * x[:, None] * own.all).sum(1),
    "cube and root": lambda x, own: x**3 + x.abs().sqrt(),
    "powers that divide": lambda x, own: x / (1 + x.square()) + own.six / x.exp(),
    "larger of two": lambda x, own: torch.maximum(x, own.six),
    "between two": lambda x, own: torch.lerp(x, own.six, 0.3),
    "either of two": lambda x, own: torch.where(x > own.six, x, -x),
    "a number for some": lambda x, own: torch.where(torch.ones(3, 1) > 0, x, 5.0),
    "whole numbers": lambda x, own: (3 * x).long().to(x.dtype),
    "truth values": lambda x, own: x.relu().bool().to(x.dtype),
    "in order": lambda x, own: x.sort(1).values,
    "as a table": lambda x, own: own.all[(x.tanh() * 3).round().long().sum(1) % 6],
    "the largest looked up": lambda x, own: own.all[x.max(1).indices],
    "places of the largest": lambda x, own: own.all[x.argmax(1)],
    "marked by weights": lambda x, own: x + x.detach()[:, own.six > -9].sum(1, keepdim=True),
    "length": lambda x, own: x / torch.linalg.vector_norm(x, dim=1, keepdim=True),
    "directions": lambda x, own: F.normalize(x, dim=0),
    "circle": lambda x, own: F.conv1d(F.pad(x[:, None], (1, 1), mode="circular"), x.new_ones(1, 1, 3))[:, 0],
}
BLOCKS = {
    "softmax over blocks": lambda x, own: x.softmax(-2),
    "softmax inside": lambda x, own: x.softmax(-1),
    "blocks mixed": lambda x, own: x + own.square @ x,
    "blocks backwards": lambda x, own: x + x.flip(-2),
    "blocks summed up": lambda x, own: x + x.cumsum(-2),
    "blocks in order": lambda x, own: x.sort(-2).values,
    "blocks rolled": lambda x, own: x * x.roll(1, -2),
    "insides rolled": lambda x, own: x * x.roll(1, -1),
    "blocks picked": lambda x, own: x + x[:, TURNED],
    "blocks gathered": lambda x, own: x + x.gather(1, TURNED[None, :, None].expand(len(x), 3, 2)),
    "norm of all": lambda x, own: F.layer_norm(x, (3, 2), own.small),
    "norm inside": lambda x, own: F.layer_norm(x, (2,), own.two),
    "norm over blocks": lambda x, own: F.layer_norm(x.mT, (3,)).mT,
    "norm of each block": lambda x, own: F.batch_norm(x, None, None, training=True),
    "norm of each inside": lambda x, own: F.instance_norm(x.mT).mT,
    "pool over blocks": lambda x, own: x + F.avg_pool1d(x.mT, 3, 1, 1).mT,
    "largest of neighbours": lambda x, own: x + F.max_pool1d(x.mT, 3, 1, 1).mT,
    "filter over blocks": lambda x, own: x + F.conv1d(x.mT, own.square[:2, None], padding=1, groups=2).mT,
    "attention of blocks": lambda x, own: (x @ x.mT).softmax(-1) @ x,
    "pairs of blocks": lambda x, own: (x @ x.mT) @ x,
    "attention of insides": lambda x, own: x @ (x.mT @ x).softmax(-1),
    "turned": lambda x, own: x.mT.reshape(len(x), 3, 2),
    "tanh": lambda x, own: x.tanh(),
}
AGAIN = {  # blocks that turn out to be the same units, or stand twice in one tensor
    "one block for all": lambda x, own: x + x[:, :1],
    "one inside for all": lambda x, own: x + x[:, :, :1],
    "blocks in a circle": lambda x, own: x + torch.cat([x[:, 1:], x[:, :1]], 1),
    "weights and their transpose": lambda x, own: (x.flatten(1) @ (own.all + own.all.T)).view_as(x),
}
FUNCTIONS = [
    *(pytest.param(function, id=name) for name, function in PLAIN.items()),
    *(pytest.param(in_blocks(function), id=f"in blocks: {name}") for name, function in BLOCKS.items()),
    *(pytest.param(in_blocks(function), id=f"in blocks: {name}") for name, function in AGAIN.items()),
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_graph_promises_only_what_holds(function):
    torch.manual_seed(0)
    module = between(function)

    hold_by_hand(Case(module, X, {}, network=promised(module, X)))


# -- what example inputs do not show -----------------------------------------------------------------------------------


def flagged(shown):
    """A hidden layer whose answer a flag switches on."""

    def forward(self, x, flag):
        return self.beside(x) + flag * shown(self, self.one(x))

    layers = {"one": nn.Linear(4, 6), "beside": nn.Linear(4, 6), "table": nn.Embedding(6, 6)}
    return Calling(forward, **layers)


@pytest.mark.parametrize("flag", [torch.tensor(False), torch.tensor(0), torch.tensor(0.0)], ids=str)
@pytest.mark.parametrize(
    "shown",
    [
        lambda own, x: own.table(x.max(1).indices),
        lambda own, x: (3 * x).long(),
        lambda own, x: x.unflatten(1, (3, 2)).flip(1).flatten(1),
        lambda own, x: (x.unflatten(1, (3, 2)) @ x.unflatten(1, (3, 2)).mT).sum((1, 2))[:, None],
    ],
    ids=["looked up", "whole numbers", "backwards", "pairs of blocks"],
)
def test_a_flag_that_is_off_in_the_example_hides_nothing(shown, flag):
    torch.manual_seed(0)
    module = flagged(shown)
    network = from_module(module, (X, flag))

    hold_by_hand(Case(module, (X, torch.ones_like(flag)), {}, network=network))


@pytest.mark.parametrize(
    "prepare",
    [
        lambda module: nn.init.zeros_(module.out.weight),
        lambda module: nn.init.constant_(module.one.bias, -1e6),
        lambda module: nn.init.ones_(module.one.weight),
        lambda module: nn.init.eye_(module.all),
    ],
    ids=["zero reader", "dead units", "equal units", "identity"],
)
@pytest.mark.parametrize("name", ["all pairs, weighed", "circle", "halves side by side", "in order"])
def test_weights_of_a_special_kind_hide_nothing(prepare, name):
    torch.manual_seed(0)
    module = between(lambda x, own: PLAIN[name](x.relu() @ own.all, own))
    prepare(module)
    network = from_module(module, X)
    torch.nn.init.normal_(module.one.weight)

    hold_by_hand(Case(module, X, {}, network=network))


def test_few_numbers_of_a_table_show_all_its_columns():
    module = nn.Sequential(nn.Embedding(11, 6), nn.Tanh(), nn.Linear(6, 2))
    network = from_module(module, torch.zeros(2, 3, dtype=torch.int64))

    assert network.structure.groups == {"0": 6}
    hold_by_hand(Case(module, torch.arange(11), {}, network=network))


def test_a_small_output_beside_a_large_one_is_looked_at():
    module = between(lambda x, own: F.dropout(x, 0.0))
    plain = module.function
    module.function = lambda self, x: (1e9 * x, plain(self, x) + self.six[:2].cumsum(0) + self.six[2:4].sin())

    hold_by_hand(Case(module, X, {}, network=from_module(module, X)))


def test_pairs_of_blocks_that_a_layer_reads_keep_their_places():
    module = Calling(lambda self, x: self.out((y := self.one(x).unflatten(1, (3, 2))) @ y.mT), one=nn.Linear(4, 6))
    module.out = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    network = from_module(module, X)

    assert network.structure.groups == {"one#2": 2} and network.structure.within == {}
    assert network.structure.refused == {"one": "they stand twice along one axis"}
    hold_by_hand(Case(module, X, {}, network=network))
