"""A list of layers, wired: which layer reads which, what shapes pass, whose units they are."""

from __future__ import annotations

from dataclasses import dataclass

from hyperlib.weightspace.layers import Add, Layer


@dataclass(frozen=True)
class Step:
    """One layer in its place: where it reads, what shapes it sees, whose units it holds."""

    layer: Layer
    source: int  # place of the layer it reads, -1 for the images
    other: int | None  # place of the second summand of an addition (-1 for the images), None in other layers
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    group: str


def wired(network: str, image: tuple[int, int, int], layers: tuple[Layer, ...]) -> tuple[Step, ...]:
    """The layers of the network so called with their sources, shapes and unit groups.

    Raises ValueError when widths contradict each other, a source is unknown, a name is missing or there twice, or a
    layer does not fit.
    """
    steps: list[Step] = []
    places = {"image": -1}
    widths = {"image": image[0]}
    for place, layer in enumerate(layers):
        source = _place(layer.source, places, layer) if layer.source else place - 1
        inputs, group = (steps[source].outputs, steps[source].group) if source >= 0 else (image, "image")
        other = _place(layer.other, places, layer) if isinstance(layer, Add) else None
        if other is not None:
            summand = (steps[other].outputs, steps[other].group) if other >= 0 else (image, "image")
            _check_addition(layer, inputs, group, *summand)
        outputs = layer.shape(inputs)
        if layer.writes:
            group = layer.units or layer.name
            if widths.setdefault(group, outputs[0]) != outputs[0]:
                raise ValueError(
                    f"{layer.name} gives the units {group!r} a width of {outputs[0]}, "
                    f"but an earlier layer gave them {widths[group]}."
                )
        if layer.name in places:
            raise ValueError(f"Two layers of {network} are called {layer.name!r}; names must differ.")
        if layer.name:
            places[layer.name] = place
        elif layer.writes or layer.parameters(inputs):
            raise ValueError(f"Layer {place} of {network} has weights or units of its own, so it needs a name.")
        steps.append(Step(layer, source, other, inputs, outputs, group))
    return tuple(steps)


def heads_of(network: str, steps: tuple[Step, ...], heads: tuple[str, ...]) -> tuple[int, ...]:
    """Places of the layers that are outputs: the last one, or those that are named.

    Raises ValueError for a head that is no layer or does not give one row, and for a layer that nobody reads and that
    is not a head: its units would count as hidden, though what it says is lost.
    """
    by_name = {step.layer.name: place for place, step in enumerate(steps) if step.layer.name}
    if unknown := [name for name in heads if name not in by_name]:
        raise ValueError(f"{network} has no layer {unknown[0]!r} that could be a head; it has {', '.join(by_name)}.")
    if len(set(heads)) < len(heads):
        raise ValueError(f"The heads of {network} are named once each, not {', '.join(heads)}.")
    places = tuple(by_name[name] for name in heads) or (len(steps) - 1,)
    for place in places:
        if len(steps[place].outputs) != 1:
            raise ValueError(
                f"{network} ends in shape {steps[place].outputs}; its last layer, or each of its heads, must give one "
                "row of classes."
            )
    read = {step.source for step in steps} | {step.other for step in steps} | set(places)
    for place, step in enumerate(steps):
        if place not in read:
            raise ValueError(
                f"Nobody reads {step.layer.name or f'layer {place}'} of {network}, and it is no output; take it away, "
                f"or name all outputs: heads=(..., {step.layer.name!r})."
            )
    return places


def _place(name: str, places: dict[str, int], layer: Layer) -> int:
    if name not in places:
        known = ", ".join(places)
        raise ValueError(f"{type(layer).__name__} {layer.name} reads {name!r}, but the layers before it are {known}.")
    return places[name]


def _check_addition(
    layer: Layer, inputs: tuple[int, ...], group: str, others: tuple[int, ...], other_group: str
) -> None:
    if others != inputs:
        raise ValueError(f"{layer.name or 'Add'} adds shapes {inputs} and {others}; they must be equal.")
    if other_group != group:
        raise ValueError(
            f"{layer.name or 'Add'} adds the units {group!r} and {other_group!r}; summands share their units, "
            "so give both writers the same group name."
        )
