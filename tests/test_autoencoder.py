"""Networks that read and write weights do what a loop over units, or PyTorch's own layers, would do."""

from __future__ import annotations

from dataclasses import asdict
from math import log, nan, sqrt

import pytest
import torch
from long_training import COMBINATIONS
from scipy.stats import kstest
from torch import Tensor, nn
from torch.testing import assert_close
from toys import network

from hyperlib.representations.autoencoder import (
    READOUTS,
    Sizes,
    autoencoder,
    initialise,
    pooled,
    projection_head,
)
from hyperlib.representations.blocks import (
    Attention,
    Dropout,
    Linear,
    NeuronTokens,
    Source,
    TransformerBlock,
    WeightTokens,
    transformer,
)
from hyperlib.weightspace.layout import Layout
from hyperlib.weightspace.tokens import Tokenizer

NETWORKS = ["tetris_mlp", "digits_cnn", "residual_net", "branching_net", "small_resnet_1ch"]
SMALL = Sizes("neuron", "pooled", 3, 6, 1, 2, 8, 0.0, 0.1, False)

each = pytest.mark.parametrize("name", NETWORKS)
every = pytest.mark.parametrize(("encoding", "readout"), COMBINATIONS)


def sizes(**changes) -> Sizes:
    return Sizes(**asdict(SMALL) | changes)


def some_weights(name: str, samples: int, generator: torch.Generator) -> Tensor:
    return torch.randn(samples, network(name).layout.size, generator=generator)


def started(module: nn.Module, generator: torch.Generator) -> nn.Module:
    initialise(module, generator, 0.1)
    return module


def rows_by_hand(layout: Layout, weights: Tensor) -> list[tuple[str, list[list[Tensor]]]]:
    """For each layer its units, each a list of parts (weights, bias); running statistics are layers of their own."""
    state, layers = layout.unflatten(weights), []
    for layer in layout.layers:
        own = [slot for slot in layout if slot.layer == layer]
        learned = [state[slot.name] for slot in own if slot.learned]
        layers.append((layer, [[part[unit].flatten() for part in learned] for unit in range(len(learned[0]))]))
        for slot in own:
            if not slot.learned:
                layers.append((slot.name, [[value[None]] for value in state[slot.name]]))
    return layers


def statistics_by_hand(part: Tensor) -> list[float]:
    values = part.tolist()
    mean = sum(values) / len(values)
    square = sum(value**2 for value in values) / len(values)
    return [mean, sqrt(sum((value - mean) ** 2 for value in values) / len(values)), 0.5 * log(square + 1e-6)]


# -- weights as tokens -------------------------------------------------------------------------------------------------


@each
def test_a_token_is_the_row_of_its_unit_times_the_matrix_of_its_layer(name, generator):
    layout, weights = network(name).layout, some_weights(name, 2, generator).double()
    tokens = started(NeuronTokens(Tokenizer(layout), 6, statistics=False), generator).double()

    found = tokens.embed(weights)

    for sample, one in enumerate(weights):
        expected = [
            linear.weight @ torch.cat(parts) + linear.bias
            for linear, (_, units) in zip(tokens.into, rows_by_hand(layout, one), strict=True)
            for parts in units
        ]
        assert_close(found[sample], torch.stack(expected))


@each
def test_a_token_reads_the_statistics_of_its_unit_as_deviations_from_those_of_the_training_networks(name, generator):
    layout, weights = network(name).layout, some_weights(name, 3, generator).double()
    tokens = started(NeuronTokens(Tokenizer(layout), 6, statistics=True), generator).double()
    without = started(NeuronTokens(Tokenizer(layout), 6, statistics=False), generator).double()
    without.into.load_state_dict(tokens.into.state_dict())

    tokens.measure(weights)
    added = tokens.embed(weights) - without.embed(weights)

    networks = [rows_by_hand(layout, one) for one in weights]
    first = 0
    for number, (_, units) in enumerate(networks[0]):
        by_hand = torch.tensor(
            [
                [sum((statistics_by_hand(part) for part in parts), []) for parts in layers[number][1]]
                for layers in networks
            ],
            dtype=torch.float64,
        )
        deviation, mean = torch.std_mean(by_hand.flatten(0, 1), 0, correction=0)
        standardised = (by_hand - mean) / torch.where(deviation > 1e-6, deviation, 1)
        linear = tokens.statistics[number]
        assert_close(added[:, first : first + len(units)], standardised @ linear.weight.T + linear.bias)
        first += len(units)
    assert first == added.shape[1]


def test_a_statistic_that_never_differs_is_not_blown_up(generator):
    tokens = started(NeuronTokens(Tokenizer(network("digits_cnn").layout), 6, statistics=True), generator)

    tokens.measure(torch.full((4, 988), 0.1))

    assert torch.isfinite(tokens.embed(torch.full((4, 988), 0.1))).all() and tokens.spread.min() == 1


@each
def test_maps_that_copy_bring_every_weight_back_to_its_place(name, generator):
    tokenizer, weights = Tokenizer(network(name).layout), some_weights(name, 3, generator)
    width = max(block.length for block in tokenizer.blocks)
    tokens = NeuronTokens(tokenizer, width, statistics=False)
    with torch.no_grad():
        for linear in (*tokens.into, *tokens.back):
            linear.weight.copy_(torch.eye(*linear.weight.shape))
            linear.bias.zero_()

        read = tokens.embed(weights)
        assert torch.equal(tokens.weights(read), weights)
        assert not torch.equal(tokens.weights(read.flip(1)), weights)


@each
def test_single_weights_come_back_to_their_places_and_stand_row_by_row(name, generator):
    layout, weights = network(name).layout, some_weights(name, 3, generator)
    tokens = WeightTokens(Tokenizer(layout), 4)
    with torch.no_grad():
        for linear in (tokens.into, tokens.back):
            linear.weight.copy_(torch.eye(*linear.weight.shape))
            linear.bias.zero_()

        read = tokens.embed(weights)
        assert torch.equal(tokens.weights(read), weights)
    for sample, one in enumerate(weights):
        by_hand = [torch.cat(parts) for _, units in rows_by_hand(layout, one) for parts in units]
        assert torch.equal(read[sample, :, 0], torch.cat(by_hand))


@pytest.mark.parametrize("name", ["tetris_mlp", "residual_net"])
@every
def test_every_weight_is_seen_by_the_encoder_and_written_by_the_decoder(encoding, readout, name, generator):
    net = started(autoencoder(network(name).layout, sizes(encoding=encoding, readout=readout), Source()), generator)
    weights = some_weights(name, 2, generator).requires_grad_()

    encoded = net.encode(weights)
    for values in (encoded.latents, encoded.embedding):
        weighing = torch.randn(values.shape, generator=generator)
        (gradient,) = torch.autograd.grad((values * weighing).sum(), weights, retain_graph=True)
        assert (gradient != 0).float().mean() > (0.7 if encoding == "dense" else 0.99)  # a ReLU may close

    decoded = net.decode(encoded.latents)
    assert decoded.shape == weights.shape
    other = net.decode(encoded.latents + torch.randn(encoded.latents.shape, generator=generator))
    assert (decoded != other).all()


# -- attention ---------------------------------------------------------------------------------------------------------


def by_pytorch(block: TransformerBlock, width: int, heads: int, hidden: int) -> nn.TransformerEncoderLayer:
    """PyTorch's own layer with the block's weights."""
    layer = nn.TransformerEncoderLayer(width, heads, hidden, dropout=0.0, norm_first=True, batch_first=True)
    names = {"self_attn.in_proj_": "attention.read.", "self_attn.out_proj.": "attention.write."}
    names |= {"linear1.": "up.", "linear2.": "down.", "norm1.": "before_attention.", "norm2.": "before_forward."}
    state = block.state_dict()
    layer.load_state_dict(
        {own + part: state[ours + part] for own, ours in names.items() for part in ("weight", "bias")}
    )
    return layer


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("width", "heads", "hidden"), [(12, 3, 20), (16, 1, 7), (32, 2, 32)])
def test_a_transformer_block_is_pytorchs_own_layer(width, heads, hidden, training, generator):
    block = started(TransformerBlock(width, heads, hidden, 0.0, Source()), generator).train(training)
    for norm in (block.before_attention, block.before_forward):
        for values in norm.parameters():
            nn.init.normal_(values, 0.5, 1, generator=generator)
    layer = by_pytorch(block, width, heads, hidden).train(training)
    tokens = torch.randn(4, 9, width, generator=generator, requires_grad=True)
    weighing = torch.randn(tokens.shape, generator=generator)

    ours, theirs = block(tokens), layer(tokens)

    assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    gradients = [torch.autograd.grad((found * weighing).sum(), tokens)[0] for found in (ours, theirs)]
    assert_close(*gradients, rtol=1e-4, atol=1e-4)


def test_a_transformer_is_its_blocks_one_after_the_other(generator):
    stack = started(transformer(8, 3, 2, 12, 0.0, Source()), generator)
    tokens = torch.randn(2, 5, 8, generator=generator)

    expected = tokens
    for block in stack:
        expected = by_pytorch(block, 8, 2, 12)(expected)

    assert len(stack) == 3
    assert_close(stack(tokens), expected, rtol=1e-4, atol=1e-5)


def test_attention_knows_no_order_of_tokens(generator):
    attention = started(Attention(12, 3), generator)
    tokens, order = torch.randn(2, 7, 12, generator=generator), torch.randperm(7, generator=generator)

    assert_close(attention(tokens[:, order]), attention(tokens)[:, order])


@pytest.mark.parametrize("inputs", [1, 5, 16, 18])
def test_a_linear_map_is_the_same_in_training_and_in_evaluation(inputs, generator):
    linear = started(Linear(inputs, 3), generator)
    values = torch.randn(4, 6, inputs, generator=generator)

    expected = values @ linear.weight.T + linear.bias
    for training in (True, False):
        assert_close(linear.train(training)(values), expected)


# -- dropout -----------------------------------------------------------------------------------------------------------


def test_dropout_sets_a_share_to_zero_and_keeps_the_mean(generator):
    dropout = Dropout(0.3, Source(generator))

    found = dropout(torch.ones(200_000))

    assert found.unique().tolist() == pytest.approx([0, 1 / 0.7], rel=1e-4)
    gone = (found == 0).float()
    assert abs(float(gone.mean()) - 0.3) < 0.01 and abs(float(found.mean()) - 1) < 0.01
    for apart in range(1, 9):  # also among entries that share a random number
        together = (gone[apart:] * gone[:-apart]).mean()
        assert abs(float(together) - 0.09) < 0.01


@pytest.mark.parametrize("share", [1e-9, 1 - 1e-9])
def test_a_share_close_to_none_or_all_gives_finite_numbers(share, generator):
    found = Dropout(share, Source(generator))(torch.ones(1000))

    assert torch.isfinite(found).all() and (found == 0).all() == (share > 0.5)


def test_dropout_follows_the_generator_of_its_source_and_no_other():
    source = Source()
    dropout, values = Dropout(0.5, source), torch.ones(1000)
    masks = []
    for seed, everywhere in ((1, 0), (1, 5), (2, 0)):
        torch.manual_seed(everywhere)
        source.generator = torch.Generator().manual_seed(seed)
        before = torch.get_rng_state()
        masks.append(dropout(values))
        assert torch.equal(torch.get_rng_state(), before)

    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])
    assert not torch.equal(masks[2], dropout(values))  # the next draw of the same generator


def test_dropout_is_off_in_evaluation_and_at_a_share_of_zero(generator):
    values = torch.randn(100, generator=generator)

    assert Dropout(0.5, Source()).eval()(values) is values
    assert Dropout(0.0, Source())(values) is values


def test_a_gradient_passes_where_dropout_kept_the_entry(generator):
    values = torch.randn(1000, generator=generator, requires_grad=True)
    found = Dropout(0.4, Source(generator))(values)
    found.sum().backward()

    assert torch.equal(values.grad != 0, found != 0)
    assert_close(values.grad, found.detach() / values.detach())
    assert float(values.grad.max()) == pytest.approx(1 / 0.6, rel=1e-4)


@pytest.mark.parametrize("readout", READOUTS)
def test_dropout_of_a_whole_network_comes_from_one_source(readout, generator):
    source, layout = Source(), network("tetris_mlp").layout
    net = started(autoencoder(layout, sizes(readout=readout, dropout=0.3), source), generator)
    weights, found = some_weights("tetris_mlp", 3, generator), []
    for seed in (1, 1, 2):
        source.generator = torch.Generator().manual_seed(seed)
        found.append(net.decode(net.encode(weights).latents))
    whole = net.eval().encode(weights).embedding

    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(whole, net.encode(weights).embedding)


# -- read-outs and heads -----------------------------------------------------------------------------------------------


def test_pooled_tokens_are_mean_and_deviation_of_each_layer(generator):
    tokens, spans = torch.randn(3, 9, 4, generator=generator).double(), (5, 1, 3)

    found = pooled(tokens, spans)

    for sample, rows in enumerate(tokens.tolist()):
        expected, first = [], 0
        for span in spans:
            columns = list(zip(*rows[first : first + span], strict=True))
            means = [sum(column) / span for column in columns]
            expected += means
            expected += [
                sqrt(sum((value - mean) ** 2 for value in column) / span + 1e-8)
                for column, mean in zip(columns, means, strict=True)
            ]
            first += span
        assert_close(found[sample], torch.tensor(expected, dtype=torch.float64))


def test_a_layer_of_one_unit_has_a_pooled_deviation_with_a_gradient():
    tokens = torch.ones(2, 1, 4, requires_grad=True)
    pooled(tokens, (1,)).sum().backward()

    assert torch.isfinite(tokens.grad).all()


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_the_contrast_looks_through_linear_maps_with_batch_norm(layers, generator):
    head = started(projection_head(10, layers, 7, 4), generator)

    expected = [Linear, nn.BatchNorm1d, nn.ReLU] * layers + [Linear, nn.BatchNorm1d]
    widths = [10] + [7] * layers + [4]
    assert [type(part) for part in head] == expected
    assert [tuple(part.weight.shape) for part in head if isinstance(part, Linear)] == [
        (after, before) for before, after in zip(widths[:-1], widths[1:], strict=True)
    ]
    found = head(torch.randn(6, 10, generator=generator))
    assert found.shape == (6, 4)
    assert_close(found.mean(0), torch.zeros(4), rtol=0, atol=1e-5)
    assert_close(found.var(0, correction=0), torch.ones(4), rtol=1e-2, atol=1e-2)


@each
@every
def test_latents_and_embedding_have_the_lengths_they_say(encoding, readout, name, generator):
    layout = network(name).layout
    if encoding == "weight" and layout.size > 1000:
        layout = network("residual_net").layout
    net = started(autoencoder(layout, sizes(encoding=encoding, readout=readout, latent=5), Source()), generator)

    encoded = net.encode(torch.randn(2, layout.size, generator=generator))

    assert encoded.latents.shape == (2, net.latents) and encoded.embedding.shape == (2, net.embedding)
    if readout == "pooled":
        layers = rows_by_hand(layout, torch.zeros(layout.size))
        kept = 1 if encoding == "weight" else 5
        lengths = [(len(units), min(kept, sum(map(len, units[0])))) for _, units in layers]
        if encoding == "neuron":  # no unit keeps more latents than it has weights
            assert net.latents == sum(units * few for units, few in lengths)
        else:
            assert net.latents == layout.size
        assert net.embedding == 2 * 6 * len(layers)
    else:
        assert net.latents == 5 and torch.equal(encoded.latents, encoded.embedding)
        assert encoded.latents.abs().max() < 1


@pytest.mark.parametrize("readout", READOUTS)
def test_an_encoding_is_the_read_out_of_the_encoders_tokens(readout, generator):
    layout, weights = network("digits_cnn").layout, some_weights("digits_cnn", 2, generator)
    net = started(autoencoder(layout, sizes(readout=readout, latent=4), Source()), generator)
    tokens = net.tokens.embed(weights) + net.places
    if readout == "summary":
        tokens = torch.cat([net.summary.expand(2, 1, 6), tokens], 1)
    tokens = net.encoder(tokens)

    found = net.encode(weights)

    if readout == "pooled":
        layers = rows_by_hand(layout, weights[0])
        numbers = [number for number, (_, units) in enumerate(layers) for _ in units]  # layer of each token
        expected = torch.cat([net.squeeze[layer](tokens[:, place]) for place, layer in enumerate(numbers)], 1)
        assert_close(found.latents, expected)
        assert_close(found.embedding, pooled(tokens, tuple(len(units) for _, units in layers)))
    else:
        read = tokens[:, 0] if readout == "summary" else tokens.reshape(2, -1)
        assert_close(found.latents, torch.tanh(net.squeeze(read)))


@pytest.mark.parametrize("readout", READOUTS)
def test_a_decoding_expands_latents_to_tokens_with_places(readout, generator):
    layout = network("digits_cnn").layout
    net = started(autoencoder(layout, sizes(readout=readout, latent=4), Source()), generator)
    latents = torch.randn(2, net.latents, generator=generator)

    if readout == "pooled":
        rows, first = [], 0
        for number, (_, units) in enumerate(rows_by_hand(layout, torch.zeros(layout.size))):
            few = net.expand[number].in_features
            for _ in units:
                rows.append(net.expand[number](latents[:, first : first + few]))
                first += few
        tokens = torch.stack(rows, 1)
    else:
        tokens = net.expand(latents).reshape(2, -1, 6)

    assert_close(net.decode(latents), net.tokens.weights(net.decoder(tokens + net.places_back)))


def test_a_dense_auto_encoder_narrows_evenly_and_ends_without_a_relu(generator):
    net = started(
        autoencoder(network("tetris_mlp").layout, sizes(encoding="dense", readout="latent", latent=10), Source()),
        generator,
    )

    layers = [part for part in net.encoder if isinstance(part, Linear)]
    assert [layers[0].in_features, *(part.out_features for part in layers)] == [100, 85, 70, 55, 40, 25, 10]
    back = [part for part in net.decoder if isinstance(part, Linear)]
    assert [back[0].in_features, *(part.out_features for part in back)] == [10, 25, 40, 55, 70, 85, 100]
    decoded = net.decode(torch.randn(50, 10, generator=generator))
    assert decoded.min() < 0 < decoded.max()


# -- the start ---------------------------------------------------------------------------------------------------------


@every
def test_a_generator_alone_decides_the_start(encoding, readout):
    layout, found = network("tetris_mlp").layout, []
    for seed, everywhere in ((1, 0), (1, 5), (2, 0)):
        torch.manual_seed(everywhere)
        before = torch.get_rng_state()
        net = autoencoder(layout, sizes(encoding=encoding, readout=readout, statistics=True), Source())
        head = projection_head(net.embedding, 1, 8, 4)
        for part in (net, head):
            initialise(part, torch.Generator().manual_seed(seed), 0.1)
        assert torch.equal(torch.get_rng_state(), before)
        found.append({**net.state_dict(), **{f"head.{name}": value for name, value in head.state_dict().items()}})

    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())
    assert any(not torch.equal(value, found[2][name]) for name, value in found[0].items())
    assert all(torch.isfinite(value).all() for value in found[0].values())


def test_linear_maps_start_uniform_within_one_over_the_root_of_their_inputs(generator):
    linear = started(Linear(400, 100), generator)

    for values in (linear.weight, linear.bias):
        scaled = (values.detach().flatten()[:5000] * 20 + 1) / 2
        assert kstest(scaled.numpy(), "uniform").pvalue > 1e-3


def test_position_embeddings_start_with_their_deviation_and_norms_as_the_identity(generator):
    net = autoencoder(network("small_resnet_1ch").layout, sizes(readout="summary", width=32, heads=4), Source())
    initialise(net, generator, 0.4)

    for values in (net.places.detach(), net.places_back.detach()):
        assert abs(float(values.std()) - 0.4) < 0.02 and abs(float(values.mean())) < 0.02
    assert abs(float(net.summary.detach().std()) - 0.4) < 0.2
    for part in net.modules():
        if isinstance(part, nn.LayerNorm):
            assert (part.weight == 1).all() and (part.bias == 0).all()


# -- places in a batch -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "heads"), [(8, 1), (18, 3), (32, 2)])
@pytest.mark.parametrize(
    ("name", "readout"), [("digits_cnn", "pooled"), ("tetris_mlp", "summary"), ("residual_net", "latent")]
)
def test_a_network_is_read_and_written_the_same_at_every_place_of_a_batch(name, readout, width, heads, generator):
    """Also where rows have odd lengths, so that they stand at other addresses modulo 16 bytes."""
    layout = network(name).layout
    net = autoencoder(layout, sizes(readout=readout, width=width, heads=heads, statistics=True), Source())
    started(net, generator).eval()
    alike = some_weights(name, 1, generator).expand(33, -1).contiguous()

    with torch.no_grad():
        encoded = net.encode(alike)
        latents = encoded.latents[:1].expand(33, -1).contiguous()
        for found in (encoded.latents, encoded.embedding, net.decode(latents)):
            assert torch.equal(found, found[:1].expand_as(found))


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["latent", "width", "depth", "heads", "hidden"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, None])
def test_sizes_are_whole_numbers(name, value):
    with pytest.raises(ValueError, match=f"^{name} is a whole number from 1 on, not {value!r}.$"):
        sizes(**{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoding": "neurons"}, "no encoding 'neurons'; choose from neuron, weight, dense"),
        ({"readout": "mean"}, "no readout 'mean'; choose from pooled, summary, latent"),
        ({"encoding": "dense"}, "A dense auto-encoder has no tokens; its readout is 'latent'"),
        ({"encoding": "dense", "readout": "summary"}, "A dense auto-encoder has no tokens"),
        ({"heads": 4}, "4 heads share the width evenly; 6 is no multiple"),
        *(({"dropout": value}, "dropout is a share from 0 to below 1") for value in (-0.1, 1.0, nan)),
        *(({"positions": value}, "positions is a standard deviation from 0 on") for value in (-0.1, nan, float("inf"))),
    ],
)
def test_sizes_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        sizes(**changes)


def test_a_dense_auto_encoder_has_no_heads_that_could_not_share_its_width():
    assert sizes(encoding="dense", readout="latent", heads=4).heads == 4
