"""Modules that read sequences, sets and graphs: the units that theory gives them, and no other."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from moves_by_hand import Case, hold_by_hand, is_found_back
from test_bridge_vision import Calling
from torch import nn

pytestmark = [
    pytest.mark.filterwarnings("ignore:The units"),  # those that stay are named once
    pytest.mark.filterwarnings("ignore:enable_nested_tensor"),
]
TOKENS = torch.tensor([[1, 5, 2, 0], [3, 3, 10, 7]])
STEPS = torch.zeros(2, 5, 4)


def heads_of(attention: str, width: int, count: int) -> tuple[dict[str, int], dict[str, str]]:
    """Groups of an attention that writes queries, keys and values at once: heads, and two orders inside of each."""
    heads, keys = f"{attention}[0:{width}]#1", f"{attention}[0:{width}]#2"
    values = f"{attention}[{2 * width}:{3 * width}]#2"
    inside = width // count
    return {heads: count, keys: inside, values: inside}, {keys: heads, values: heads}


# -- recurrent ---------------------------------------------------------------------------------------------------------


def recurrent(kind, layers=1, both_ways=False):
    def forward(self, x):
        return self.out(self.cells(self.table(x))[0][:, -1])

    def make():
        cells = kind(5, 6, layers, bidirectional=both_ways, batch_first=True)
        out = nn.Linear(12 if both_ways else 6, 3)
        module = Calling(forward, table=nn.Embedding(11, 5), cells=cells, out=out)
        ways = ("", "_reverse") if both_ways else ("",)
        return Case(module, TOKENS, {"table": 5} | {f"cells.weight_ih_l{n}{w}": 6 for n in range(layers) for w in ways})

    make.__name__ = f"{kind.__name__}_{layers}_{'both' if both_ways else 'one'}"
    return make


def cell(kind):
    def forward(self, x):
        state = x.new_zeros(len(x), 6)
        state = (state, state) if kind is nn.LSTMCell else state
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.out(state[0] if kind is nn.LSTMCell else state)

    def make():
        module = Calling(forward, cell=kind(4, 6), out=nn.Linear(6, 2))
        return Case(module, STEPS, {"cell.weight_ih": 6})

    make.__name__ = kind.__name__
    return make


# -- attention ---------------------------------------------------------------------------------------------------------


def encoder(before):
    def make():
        layer = nn.TransformerEncoderLayer(8, 2, 12, norm_first=before, batch_first=True, activation="gelu")
        blocks = nn.TransformerEncoder(layer, 2)

        def forward(self, x):
            return self.out(self.norm(self.blocks(self.table(x) + self.places)))

        module = Calling(forward, table=nn.Embedding(11, 8), blocks=blocks, norm=nn.LayerNorm(8), out=nn.Linear(8, 11))
        module.places = nn.Parameter(torch.randn(4, 8))
        module.out.weight = module.table.weight  # tied
        groups, within = {"places": 8}, {}
        for number in range(2):
            own, inside = heads_of(f"blocks.layers.{number}.self_attn", 8, 2)
            groups |= own | {f"blocks.layers.{number}.linear1": 12}
            within |= inside
        return Case(module, TOKENS, groups, within)

    make.__name__ = "norm_before" if before else "norm_behind"
    return make


def whole_transformer():
    module = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    groups, within = {}, {}
    for name in ("encoder.layers.0.self_attn", "decoder.layers.0.self_attn", "decoder.layers.0.multihead_attn"):
        own, inside = heads_of(name, 8, 2)
        groups, within = groups | own, within | inside
    groups |= {"encoder.layers.0.linear1": 16, "decoder.layers.0.linear1": 16}
    return Case(module, (torch.zeros(2, 3, 8), torch.zeros(2, 4, 8)), groups, within)


def vision_transformer():
    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places
        q, k, v = self.qkv(self.norm(x)).reshape(len(x), 5, 3, 3, 4).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.back(((q @ k.mT / 2).softmax(-1) @ v).transpose(1, 2).flatten(2))
        return self.out((x + self.feed(x))[:, 0])

    feed = nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 20), nn.GELU(), nn.Linear(20, 12))
    layers = {"patch": nn.Conv2d(3, 12, 4, 4), "qkv": nn.Linear(12, 36), "back": nn.Linear(12, 12)}
    module = Calling(forward, **layers, norm=nn.LayerNorm(12), feed=feed, out=nn.Linear(12, 4))
    module.first = nn.Parameter(torch.randn(1, 1, 12))
    module.places = nn.Parameter(torch.randn(1, 5, 12))
    groups, within = heads_of("qkv", 12, 3)
    return Case(module, torch.zeros(2, 3, 8, 8), groups | {"first": 12, "feed.1": 20}, within)


def grouped_queries():
    def forward(self, x):
        x = self.table(x)
        y = self.one(x)
        q, k, v = (p(y).unflatten(-1, (-1, 4)).transpose(1, 2) for p in (self.q, self.k, self.v))
        k, v = (one.repeat_interleave(2, 1) for one in (k, v))
        x = x + self.back(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        y = self.two(x)
        return self.out(x + self.down(F.silu(self.gate(y)) * self.up(y)))

    sizes = {"q": (16, 16), "k": (16, 8), "v": (16, 8), "back": (16, 16), "gate": (16, 24), "up": (16, 24)}
    layers = {name: nn.Linear(*two, bias=False) for name, two in sizes.items()}
    norms = {"table": nn.Embedding(11, 16), "one": nn.RMSNorm(16), "two": nn.RMSNorm(16)}
    module = Calling(forward, **layers, **norms, down=nn.Linear(24, 16), out=nn.Linear(16, 11))
    groups = {"q#1": 2, "q#2": 2, "q#3": 4, "v#2": 4, "gate": 24, "table": 16}  # queries share a key: pairs of heads
    return Case(module, TOKENS, groups, names=False)


def cross_attention():
    def forward(self, q, k, v):
        return self.out(self.attention(q, k, v)[0])

    attention = nn.MultiheadAttention(8, 2, kdim=6, vdim=5, batch_first=True)
    inputs = (torch.zeros(2, 3, 8), torch.zeros(2, 4, 6), torch.zeros(2, 4, 5))
    groups = {"heads": 2, "keys": 4, "values": 4, "out": 8}
    return Case(Calling(forward, attention=attention, out=nn.Linear(8, 2)), inputs, groups, names=False)


def einsum_attention():
    def forward(self, x):
        q, k, v = (torch.einsum("btd,hdk->bhtk", x, one) for one in (self.q, self.k, self.v))
        shares = torch.einsum("bhtk,bhsk->bhts", q, k).softmax(-1)
        return torch.einsum("bhts,bhsk,hkd->btd", shares, v, self.back)

    module = Calling(forward)
    for name in "qkv":
        setattr(module, name, nn.Parameter(torch.randn(2, 4, 3)))
    module.back = nn.Parameter(torch.randn(2, 3, 4))
    groups = {"q": 2, "q#1": 3, "v": 3}  # heads have signs as well as the numbers inside: neither is decided alone
    return Case(module, STEPS, groups, names=False, one_form=False)


def perceiver():
    def forward(self, x):
        q, k = self.q(self.latents), self.k(x)
        held = (q @ k.mT).softmax(-1) @ self.v(x)
        return self.out(torch.tanh(self.wide(held)).mean(1))

    sizes = {"q": (6, 5), "k": (4, 5), "v": (4, 7), "wide": (7, 9), "out": (9, 2)}
    module = Calling(forward, **{name: nn.Linear(*two) for name, two in sizes.items()})
    module.latents = nn.Parameter(torch.randn(3, 6))
    groups = {"latents": 3, "latents#1": 6, "q": 5, "v": 7, "wide": 9}  # a mean over latents knows no order of them
    return Case(module, STEPS, groups, names=False)


# -- places and masks --------------------------------------------------------------------------------------------------


def waves(persistent):
    def forward(self, x):
        return self.out(torch.tanh(self.one(x) + self.waves).mean(1))

    def make():
        module = Calling(forward, one=nn.Linear(4, 6), out=nn.Linear(6, 2))
        module.register_buffer("waves", torch.sin(torch.arange(30.0).view(5, 6)), persistent=persistent)
        return Case(module, STEPS, {"waves": 6} if persistent else {})  # what is saved moves along, a constant cannot

    make.__name__ = "saved_waves" if persistent else "constant_waves"
    return make


def on_the_way(function, free=True, signs=True):
    """A sequence that is written, changed by a function, and read."""

    def forward(self, x):
        return self.out(function(torch.tanh(self.one(x)))).sum(1)

    def make():
        module = Calling(forward, one=nn.Linear(4, 6), out=nn.Linear(6, 2))
        return Case(module, STEPS, {"one": 6} if free else {}, signs={"one"} if signs else set())

    make.__name__ = function.__name__
    return make


def masked(x):
    return torch.where(torch.arange(5)[:, None] % 2 == 0, x, 0.0)


def filled(x):
    return torch.where(torch.arange(5)[:, None] % 2 == 0, x, -9.0)


def backwards(x):
    return torch.cat([x, x.flip(1)], 1)


def summed_up(x):
    return x.cumsum(1)


def shifted_in_place(x):
    y = torch.zeros_like(x)
    y[:, 1:] = x[:, :-1]
    y[:, 0] += x[:, -1]
    return y.mul_(2)


def last_token(x):
    return x.gather(1, torch.tensor([2, 4])[:, None, None].expand(2, 1, 6))


def sorted_steps(x):
    return x.sort(1).values


class Doubled(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return 2 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def own_gradient(x):
    return Doubled.apply(x)


def causal_sum(x):
    return torch.ones(5, 5, dtype=x.dtype).tril() @ x


# -- others ------------------------------------------------------------------------------------------------------------


def gated():
    def forward(self, x):
        return self.out(F.glu(self.one(x), -1))

    module = Calling(forward, one=nn.Linear(4, 12), out=nn.Linear(6, 2))
    return Case(module, STEPS, {"one": 6}, names=False)


def mixer():
    def forward(self, x):
        x = self.table(x)
        x = x + self.tokens(x.mT).mT
        return self.out((x + self.units(x)).mean(1))

    tokens = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 5))
    units = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 6))
    module = Calling(forward, table=nn.Linear(4, 6), tokens=tokens, units=units, out=nn.Linear(6, 2))
    return Case(module, STEPS, {"table": 6, "tokens.0": 7, "units.1": 9}, names=False)


def messages():
    def forward(self, edges, x):
        x = torch.relu(edges @ self.one(x))
        return self.out(torch.relu(edges @ self.two(x)).mean(0))

    module = Calling(forward, one=nn.Linear(4, 6, bias=False), two=nn.Linear(6, 5), out=nn.Linear(5, 2))
    return Case(module, (torch.zeros(7, 7), torch.zeros(7, 4)), {"one": 6, "two": 5})


CASES = [
    *(recurrent(nn.RNN), recurrent(nn.LSTM, 2), recurrent(nn.LSTM, 2, True), recurrent(nn.GRU, 2)),
    *(recurrent(nn.GRU, 1, True), cell(nn.RNNCell), cell(nn.LSTMCell), cell(nn.GRUCell)),
    *(encoder(True), encoder(False), whole_transformer, vision_transformer, grouped_queries, cross_attention),
    *(einsum_attention, perceiver, waves(True), waves(False), on_the_way(masked), on_the_way(filled, signs=False)),
    *(on_the_way(backwards), on_the_way(summed_up), on_the_way(shifted_in_place), on_the_way(last_token)),
    *(on_the_way(sorted_steps, signs=False), on_the_way(own_gradient), on_the_way(causal_sum), gated, mixer, messages),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda make: make.__name__)
def case(request):
    torch.manual_seed(0)
    return request.param().traced()


@pytest.mark.slow
def test_a_network_has_the_groups_that_theory_gives(case):
    case.has_its_groups()


def test_every_move_that_is_offered_holds_by_hand(case):
    hold_by_hand(case)


def test_planted_moves_are_found_back(case):
    is_found_back(case)
