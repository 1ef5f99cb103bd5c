"""From any module to its units: what is promised of every module, of its inputs and of what cannot be traced."""

from __future__ import annotations

import pytest
import torch
from moves_by_hand import Case, hold_by_hand
from torch import nn
from torch.testing import assert_close

from hyperlib import from_module

# -- what it is called with --------------------------------------------------------------------------------------------


class TwoInputs(nn.Module):
    """Reads two tensors, by place or by name, with an option."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.out = nn.Linear(4, 6), nn.Linear(3, 6), nn.Linear(6, 2)

    def forward(self, x, y=None, *, twice=False, how="tanh"):
        hidden = self.one(x) if y is None else self.one(x) + self.two(y)
        hidden = getattr(torch, how)(hidden)
        return self.out(2 * hidden if twice else hidden)


X, Y = torch.zeros(2, 4), torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("inputs", "read"),
    [
        *((X, False), ((X,), False), ([X], False), ((X, Y), True), ({"x": X, "y": Y}, True)),
        *(({"x": X, "twice": True, "how": "sin"}, False), ((X, None), False)),
    ],
    ids=["tensor", "tuple", "list", "two", "named", "options", "none"],
)
def test_inputs_are_what_the_module_is_called_with(inputs, read):
    network = from_module(TwoInputs(), inputs)

    assert network.structure.groups == {"one": 6}
    assert ("two" in network.structure.refused) == (not read)  # weights that nothing reads keep their places


@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 5, 4)], ids=str)
def test_a_batch_has_any_number_of_axes(shape):
    network = from_module(nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), torch.zeros(shape))

    assert network.structure.groups == {"0": 6}


def test_outputs_may_lie_in_any_container_and_whole_numbers_do_not_count():
    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one, self.out = nn.Linear(4, 6), nn.Linear(6, 3)

        def forward(self, x):
            hidden = torch.tanh(self.one(x))
            answer = self.out(hidden)
            return {"answer": answer, "parts": [hidden.sum(1), (answer.argmax(1), None)]}

    network = from_module(Several(), X)

    assert network.structure.groups == {"one": 6}
    assert all(signal.against_signs for signal in network.structure.signals.values())  # their sum is given out
    assert network.num_classes == 4


def test_a_hidden_layer_that_is_given_out_keeps_its_places():
    class Telling(TwoInputs):
        def forward(self, x):
            hidden = self.one(x)
            return self.out(hidden), hidden

    network = from_module(Telling(), X)

    assert network.structure.groups == {} == {n: s for n, s in network.structure.signals.items() if not s.against_signs}


def test_a_name_and_what_is_not_learned_are_taken_over():
    network = from_module(TwoInputs(), (X, Y), name="mine", unlearned=["two.*"])

    assert network.name == "mine" and "mine" in repr(network)
    assert [slot.name for slot in network.layout if not slot.learned] == ["two.weight", "two.bias"]


# -- what is left as it was --------------------------------------------------------------------------------------------


def test_the_module_is_left_as_it_is():
    module = nn.Sequential(nn.Linear(4, 6).half(), nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 2))
    module[3].weight.requires_grad_(False)
    module[1].eval()
    module[0].weight.grad = torch.ones_like(module[0].weight)
    before = {name: (value.clone(), value.dtype) for name, value in module.state_dict().items()}
    modes = [part.training for part in module.modules()]
    wanted = [one.requires_grad for one in module.parameters()]

    from_module(module, torch.zeros(2, 4))

    assert [part.training for part in module.modules()] == modes
    assert [one.requires_grad for one in module.parameters()] == wanted
    assert torch.equal(module[0].weight.grad, torch.ones_like(module[0].weight))
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name][0]) and value.dtype == before[name][1]


def test_the_world_is_left_as_it_is():
    torch.manual_seed(3)
    state, kind, gradients = torch.get_rng_state(), torch.get_default_dtype(), torch.is_grad_enabled()
    fast = torch.backends.mha.get_fastpath_enabled()
    inputs = torch.ones(2, 3, 8, requires_grad=True)
    with pytest.raises(ValueError, match="traced"):
        from_module(nn.Linear(5, 2), inputs)
    network = from_module(nn.TransformerEncoderLayer(8, 2, 8, batch_first=True), inputs)
    network.logits(network.trial_weights(2), inputs)
    torch.manual_seed(3)

    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() == kind
    assert torch.is_grad_enabled() == gradients and torch.backends.mha.get_fastpath_enabled() == fast
    assert torch.equal(inputs, torch.ones_like(inputs)) and inputs.grad is None


def test_a_network_answers_as_its_module_does():
    module, generator = TwoInputs(), torch.Generator().manual_seed(0)
    x, y = torch.randn(5, 4, generator=generator), torch.randn(5, 3, generator=generator)
    network = from_module(module, (X, Y))

    assert_close(network.logits(network.layout.flatten(module), (x, y)), module(x, y).detach())


def test_tracing_twice_gives_the_same():
    one, other = (from_module(TwoInputs(), (X, Y)) for _ in range(2))

    assert one.structure == other.structure and one.layout == other.layout


# -- kinds of modules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_module_of_any_precision_has_the_same_units(kind):
    module = TwoInputs().to(kind)
    network = from_module(module, (X.to(kind), Y))

    assert network.structure == from_module(TwoInputs(), (X, Y)).structure
    assert next(module.parameters()).dtype == kind


def test_frozen_and_unused_parameters():
    module = TwoInputs().requires_grad_(False)
    network = from_module(module, X)

    assert network.structure.groups == {"one": 6}
    assert network.structure.refused == {"two": "nothing reads these weights"}


def test_tied_layers_have_one_place_and_their_units_are_one_group():
    shared = nn.Linear(6, 6)
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), shared, nn.Tanh(), shared, nn.Tanh(), nn.Linear(6, 2))
    network = from_module(module, X)

    assert network.structure.groups == {"0": 6}
    assert "4.weight" not in {slot.name for slot in network.layout}
    hold_by_hand(Case(module, X, {"0": 6}, network=network))


def test_a_weight_tied_to_its_transpose():
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(6, 4)), nn.Parameter(torch.randn(4))

        def forward(self, x):
            return torch.tanh(x @ self.weight.T) @ self.weight + self.bias

    case = Case(Tied(), X, {"weight": 6}, signs={"weight"}).traced()
    case.has_its_groups()
    hold_by_hand(case)


def test_a_constant_buffer_that_is_the_same_for_all_units_holds_none():
    class Scaled(TwoInputs):
        def __init__(self, values) -> None:
            super().__init__()
            self.register_buffer("values", values, persistent=False)

        def forward(self, x):
            return self.out(self.one(x) * self.values)

    assert from_module(Scaled(torch.full((6,), 0.5)), X).structure.groups == {"one": 6}
    network = from_module(Scaled(torch.arange(6.0)), X)
    assert network.structure.groups == {}
    assert network.structure.refused["one"] == "a constant of the network meets these units"


def test_a_loop_counts_as_often_as_it_ran():
    class Looping(TwoInputs):
        def forward(self, x, times=3):
            hidden = self.one(x)
            for number in range(times if x.shape[0] > 1 else 0):
                hidden = torch.tanh(hidden) * (number + 1)
            return self.out(hidden)

    network = from_module(Looping(), {"x": X, "times": 4})

    assert network.structure.groups == {"one": 6}
    assert not network.structure.signals["one"].against_signs and network.structure.signals["one"].against_scaling


def test_a_module_that_writes_into_its_inputs_and_buffers():
    class Writing(TwoInputs):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros(6))

        def forward(self, x):
            x.mul_(2)
            hidden = torch.tanh(self.one(x))
            self.seen.mul_(0.9).add_(hidden.mean(0))
            return self.out(hidden + self.seen)

    inputs = torch.ones(2, 4)
    network = from_module(Writing(), inputs)

    assert sorted(network.structure.groups.values()) == [6]
    assert torch.equal(inputs, torch.ones(2, 4))


def test_nothing_is_known_behind_a_wall():
    class Walled(TwoInputs):
        def forward(self, x):
            hidden = self.one(x)
            return self.out(hidden + torch.linalg.matrix_exp(hidden[:, None] * hidden[:, :, None])[:, 0])

    network = from_module(Walled(), X)

    assert network.walls == ("linalg_matrix_exp",) and "walls linalg_matrix_exp" in repr(network)
    assert "nothing is known" in network.structure.refused["one"]


# -- what cannot be traced ---------------------------------------------------------------------------------------------


class Failing(nn.Module):
    """Raises its own error."""

    def forward(self, x):
        raise KeyError("a stranger's error")


@pytest.mark.parametrize(
    ("module", "inputs", "error", "words"),
    [
        ("not a module", X, TypeError, "not from a str"),
        (nn.Linear, X, TypeError, "torch.nn.Module"),
        (TwoInputs(), torch.zeros(2, 5), ValueError, "cannot be traced on these inputs"),
        (TwoInputs(), {"z": X}, ValueError, "unexpected keyword"),
        (TwoInputs(), (), ValueError, "cannot be traced"),
        (Failing(), X, ValueError, "a stranger's error"),
        (nn.Sequential(nn.ReLU()), X, ValueError, "no floating-point tensor"),
        (nn.Identity(), X, ValueError, "no floating-point tensor"),
        (nn.Linear(4, 2, device="meta"), X, ValueError, "meta"),
    ],
    ids=["string", "class", "shape", "keyword", "nothing", "failing", "no weights", "identity", "meta"],
)
def test_what_cannot_be_traced_is_said_in_a_sentence(module, inputs, error, words):
    with pytest.raises(error, match=words):
        from_module(module, inputs)


@pytest.mark.filterwarnings("ignore:.*torch.jit")
@pytest.mark.parametrize("how", ["script", "trace"])
def test_a_compiled_module_is_traced_or_refused_in_a_sentence(how):
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    compiled = torch.jit.script(module) if how == "script" else torch.jit.trace(module, X)
    try:
        network = from_module(compiled, X)
    except ValueError as error:
        assert "cannot be" in str(error)
    else:
        assert network.structure.groups == {"0": 6}


def test_answers_that_are_whole_numbers_alone_cannot_be_tried():
    class Choosing(TwoInputs):
        def forward(self, x):
            return self.out(self.one(x)).argmax(1)

    with pytest.raises(ValueError, match="no tensor of floating-point numbers"):
        from_module(Choosing(), X)


def test_answers_that_are_not_finite_cannot_be_tried():
    class Endless(TwoInputs):
        def forward(self, x):
            return self.out(self.one(x)) / 0.0

    with pytest.raises(ValueError, match="no finite numbers"):
        from_module(Endless(), X)


def test_a_branch_that_hangs_on_numbers_is_refused_in_a_sentence():
    class Deciding(TwoInputs):
        def forward(self, x):
            return self.out(self.one(x) if x.sum() > 0 else -self.one(x))

    with pytest.raises(ValueError, match="data-dependent control flow"):
        from_module(Deciding(), X)


def test_a_module_that_draws_numbers_has_no_moves():
    class Drawing(TwoInputs):
        def forward(self, x):
            return self.out(nn.functional.dropout(self.one(x), 0.5, training=True))

    network = from_module(Drawing(), X)

    assert network.structure.groups == {}
