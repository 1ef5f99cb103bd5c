"""Which factors a network's units may have: every fact of a flow as an equation between factors, solved one by one.

A factor belongs to some units; what it does to a tensor is a product of factors, each along some of the tensor's units
and with a power. Where two tensors meet, their products are equal, and one factor is replaced by the others; what is
left over are the network's signals.

Source: our choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hyperlib.weightspace.units.axes import Axis, Unknown, aligned, boxes, found, units
from hyperlib.weightspace.units.carried import (
    Carried,
    Factor,
    Home,
    Powers,
    along_both,
    blocks_beside,
    boxes_of,
    clusters_of,
    places_in,
    powers_of,
    stands,
    twins,
    units_here,
    within,
)
from hyperlib.weightspace.units.flow import (
    BROADCAST,
    PART,
    Flow,
    Mixed,
    Normalised,
    Pointwise,
    Product,
    Sum,
    Value,
)

NORM = "a norm divides the factor out again, but for its epsilon"
UNLIKE = "it meets something that does not have the same factor"


class Factors:
    """The factors of a flow whose axes are known. `of` says what a tensor is multiplied by."""

    def __init__(self, flow: Flow) -> None:
        self.known: dict[Value, Carried] = {}
        self.loose: dict[Value, set[Unknown]] = {}  # units that are zero, whatever their factor
        self.silent = {value for value in flow.values if value.zero}
        self.replaced: dict[Factor, Powers] = {}
        self.parts: dict[Value, list[dict[int, Factor]]] = {}  # of parameters: by axis, by number of the box
        self.crossing: dict[Value, list[Factor]] = {}  # of parameters, along units of several axes
        self.marks: list[tuple[Powers, str, str]] = []
        self.count = 0
        layers: set[str] = set()
        for value in flow.parameters.values():
            self._begin(value, value.slot.layer in layers)
            layers.add(value.slot.layer)
        for value in flow.values:
            padded, there = stands(value.padding), stands(value.axes)  # the same units may stand beside, unpadded
            self.loose[value] = {unit for unit, count in padded.items() if count == there[unit]}
        for operation in flow.operations:
            self._read(operation)
        for powers, signs, scaling in self.marks:
            for factor, power in self.solved(powers).items():
                factor.against_signs = factor.against_signs or (signs if power % 2 else "")
                factor.against_scaling = factor.against_scaling or scaling

    def of(self, value: Value) -> Carried:
        """What a tensor is multiplied by when units are, in factors that were not replaced."""
        result: Carried = {}
        for (factor, home), power in self.known.get(value, {}).items():
            for part, count in self.solved({factor: power}).items():
                where = part, tuple(unit for unit in home if found(unit) in part.space)
                result[where] = result.get(where, 0) + count
        return {where: power for where, power in result.items() if power}

    def solved(self, powers: Powers) -> Powers:
        """The same product in factors that were not replaced."""
        result: Powers = {}
        for factor, power in powers.items():
            parts = self.solved(self.replaced[factor]) if factor in self.replaced else {factor: 1}
            for part, count in parts.items():
                result[part] = result.get(part, 0) + power * count
        return {factor: power for factor, power in result.items() if power}

    # -- where factors begin ----------------------------------------------------------------------------------------

    def _new(self, space: Iterable[Unknown], name: str, kind: int) -> Factor:
        self.count += 1
        return Factor(tuple(map(found, space)), name, (kind, self.count))

    def _begin(self, value: Value, follows: bool) -> None:
        """A factor for every part of every axis of a parameter; those that are written in a layer's first slot stay."""
        slot, self.parts[value] = value.slot, []
        for place, axis in enumerate(value.axes):
            own = {}
            for number, box in enumerate(boxes(axis)):
                space = [unit for unit, _ in box.units]
                if any(not found(unit).fixed for unit in space):
                    own[number] = self._new(space, slot.layer or slot.name, int(follows or place > 0))
            self.parts[value].append(own)
        self._part_alike(value)
        for axis, own in zip(value.axes, self.parts[value], strict=True):
            often = {unit for unit, count in stands([axis]).items() if count > 1}
            for number, factor in own.items():
                if often & {unit for unit, _ in boxes(axis)[number].units}:
                    self.marks.append(({factor: 1}, UNLIKE, UNLIKE))
        self._carry(value)

    def _part_alike(self, value: Value) -> None:
        """Parts of a parameter that stand for units of one another cannot be told apart further on: no factors."""
        homes = {
            (place, number): {unit for unit, _ in box.units}
            for place, axis in enumerate(value.axes)
            for number, box in enumerate(boxes(axis))
        }
        for where, home in homes.items():
            for other, also in homes.items():
                if other != where and home and home <= also:
                    for place, number in (where, other):
                        self.parts[value][place].pop(number, None)

    def _carry(self, value: Value) -> None:
        """What a parameter is multiplied by, from its parts."""
        self.known[value] = {
            (factor, tuple(unit for unit, _ in boxes(axis)[number].units)): 1
            for axis, own in zip(value.axes, self.parts[value], strict=True)
            for number, factor in own.items()
        }

    # -- what an operation says -------------------------------------------------------------------------------------

    def _read(self, operation: object) -> None:
        match operation:
            case Product():
                self._product(operation)
            case Sum():
                self._sum(operation)
            case Pointwise():
                self._pointwise(operation)
            case Normalised():
                self._normalised(operation)
            case Mixed():
                self._mixed(operation)

    def _product(self, one: Product) -> None:
        there, own = units_here(one.result.axes), set()
        blocks: dict[Factor, set[frozenset[int]]] = {}
        kept: Carried = {}
        gone: Carried = {}
        loose: set[Unknown] = set()
        double, whose = along_both(one), [set() for _ in one.operands]
        for number, (operand, power, axes) in enumerate(zip(one.operands, one.powers, one.summed, strict=True)):
            into = places_in(operand, one.result, one.how if isinstance(one.how, str) else one.how[number])
            over = aligned(axes, one.summed[0]) if axes else {}
            loose |= {into.get(unit, over.get(unit, unit)) for unit in self.loose.get(operand, set())}
            for (factor, home), count, summed in self._sorted(operand, axes):
                if double & set(home):
                    self.marks.append(({factor: 1}, UNLIKE, UNLIKE))
                    continue
                target, pairs = (gone, over) if summed else (kept, into)
                where = factor, tuple(pairs.get(unit, unit) for unit in home)
                if summed and (beside := blocks_beside(operand, home, axes, one.how, number)):
                    blocks.setdefault(factor, set()).add(beside)
                target[where] = target.get(where, 0) + power * count
                whose[number].add(where)
                own |= {factor} if operand in self.parts else set()
        self.loose[one.result] |= (loose & there) - double
        if any(operand in self.silent for operand in one.operands):
            self.silent.add(one.result)
        else:
            for cluster in self._boxed([gone], one.summed[0] if one.summed else ()):
                if not {unit for _, home in cluster for unit in home} <= loose:
                    met = set().union(*(blocks.get(factor, set()) for factor, _ in cluster))
                    alike = any(twins(cluster.keys() & theirs) for theirs in whose)
                    if len(met) > 1 or alike:  # blocks meet each other
                        self.marks.append((dict.fromkeys((factor for factor, _ in cluster), 1), UNLIKE, UNLIKE))
                    else:
                        self._equal(self._crossed(powers_of(cluster), one), {})
        lost = {where: power for where, power in kept.items() if not set(where[1]) <= there}
        if one.how != PART:
            self.marks.append((powers_of(lost), UNLIKE, UNLIKE))
        self.known[one.result] = {}
        for cluster in clusters_of({where: p for where, p in kept.items() if p and where not in lost}):
            self.known[one.result] |= self._begun(cluster, own)

    def _boxed(self, sides: list[Carried], axes: tuple[Axis, ...]) -> Iterator[Carried]:
        """Factors that meet each other, box by box of these axes."""
        among = units_here(axes)
        for box in boxes_of(axes):
            yield from clusters_of(*(within(side, box, among) for side in sides))

    def _sorted(self, operand: Value, axes: tuple[Axis, ...]) -> Iterator[tuple[tuple[Factor, Home], int, bool]]:
        """An operand's factors, with whether they belong to axes that are summed over."""
        summed = {unit for axis in axes for box in boxes(axis) for unit, _ in box.units}
        for (factor, home), power in self.of(operand).items():
            yield (factor, home), power, bool(summed & set(home))

    def _begun(self, cluster: Carried, own: set[Factor]) -> Carried:
        """Where each unit has a weight of its own (a depthwise convolution), a new factor begins behind it."""
        powers, space = powers_of(cluster), {found(unit) for _, home in cluster for unit in home}
        weights = [where for where in cluster if where[0] in own and set(where[0].space) == space]
        if not weights or len(powers) == 1:
            return cluster
        factor, home = weights[0]
        new = self._new(factor.space, factor.name, 0)
        factor.rank = (1, factor.rank[1])
        self._equal(powers, {new: 1})
        return {(new, home): 1}

    def _crossed(self, powers: Powers, one: Product) -> Powers:
        """A weight that reads units in blocks, each its own (a grouped convolution), has a factor for each of them."""
        space = {unit for factor in powers for unit in factor.space}
        for weight in (value for value in one.operands if value in self.parts):
            for factor in [f for own in self.parts[weight] for f in own.values() if f in powers]:
                wide = next((f for f in powers if set(f.space) == space), None)
                inside = {unit for axis in weight.axes for unit in units(axis)}
                if wide is not None and set(factor.space) < space <= inside:
                    crossing = self._new(wide.space, factor.name, 1)
                    self.crossing.setdefault(weight, []).append(crossing)
                    self.replaced[factor] = {}
                    powers = {f: p for f, p in powers.items() if f is not factor} | {crossing: 1}
        return powers

    def _sum(self, one: Sum) -> None:
        heard = [operand for operand in one.operands if operand not in self.silent]
        self.known[one.result] = {}
        if not heard:
            self.silent.add(one.result)
            return
        maps = [places_in(operand, one.result, BROADCAST) for operand in heard]
        loose = [
            {into.get(unit, unit) for unit in self.loose.get(operand, set())}
            for operand, into in zip(heard, maps, strict=True)
        ]
        sides = [
            {(f, tuple(into.get(u, u) for u in home)): p for (f, home), p in self.of(operand).items()}
            for operand, into in zip(heard, maps, strict=True)
        ]
        agreed: list[tuple[set[Unknown], Carried]] = []
        for cluster in self._boxed(sides, one.result.axes):
            space = {unit for _, home in cluster for unit in home}
            parts = [{where: p for where, p in side.items() if set(where[1]) <= space} for side in sides]
            told = [part for part, zeros in zip(parts, loose, strict=True) if part or not space <= zeros]
            for part in told[1:]:
                self._equal(powers_of(told[0]), powers_of(part))
            self.known[one.result] |= told[0]
            agreed.append((space, told[0]))
        for space, told in agreed:  # what one box was told must not stand in another that was told something else
            if {where: p for where, p in self.known[one.result].items() if set(where[1]) <= space} != told:
                self.marks.append((powers_of(told), UNLIKE, UNLIKE))
        self.loose[one.result] |= set.intersection(*loose)

    def _pointwise(self, one: Pointwise) -> None:
        there, came = units_here(one.result.axes), self.of(one.operand)
        lost = {where: power for where, power in came.items() if not set(where[1]) <= there}
        came = {where: power for where, power in came.items() if where not in lost}
        self.marks.append((powers_of(lost), UNLIKE, UNLIKE))
        self.marks.append((powers_of(came), one.against_signs, one.against_scaling))
        stops = bool(one.against_signs and one.against_scaling)
        self.known[one.result] = {} if stops else {where: one.power * count for where, count in came.items()}
        if not stops:  # then it leaves zeros zeros
            self.loose[one.result] |= self.loose.get(one.operand, set())
            self.silent |= {one.result} if one.operand in self.silent else set()

    def _normalised(self, one: Normalised) -> None:
        came, result = self.of(one.operand), {}
        self.marks.append((powers_of(came), "", NORM))
        met: set[tuple[Factor, Home]] = set()
        for number, box in enumerate(boxes(one.operand.axes[one.channels])):
            here = tuple(unit for unit, _ in box.units)
            own = {where: power for where, power in came.items() if set(where[1]) & set(here)}
            old, met = powers_of(own), met | own.keys()
            twice = {factor: 2 * power for factor, power in old.items()}
            for value, powers in ((one.mean, old), (one.variance, twice)):
                if value is not None and number in self.parts[value][0]:
                    self._equal({self.parts[value][0][number]: 1}, powers)
            if one.gain is None:
                result |= own
            elif number in self.parts[one.gain][0]:
                gain = self.parts[one.gain][0][number]
                new = self._new(gain.space, gain.name, 0)
                result[new, here] = 1
                gain.rank = (1, gain.rank[1])
                self._equal({gain: 1} | old, {new: 1})
                if one.bias is not None and number in self.parts[one.bias][0]:
                    self._equal({self.parts[one.bias][0][number]: 1}, {new: 1})
            else:
                self.marks.append((old, UNLIKE, UNLIKE))
        self.marks.append((powers_of({where: p for where, p in came.items() if where not in met}), UNLIKE, UNLIKE))
        self.known[one.result] = result

    def _mixed(self, one: Mixed) -> None:
        self.marks.append((powers_of(self.of(one.operand)), one.reason, one.reason))
        if one.result is one.operand:
            return
        self.known[one.result] = {}
        if one.gain is None:
            return
        into = aligned(one.gain.axes[: len(one.along)], [one.result.axes[place] for place in one.along])
        for place, gains in enumerate(self.parts[one.gain]):
            for number, gain in gains.items():
                home = tuple(into.get(unit, unit) for unit, _ in boxes(one.gain.axes[place])[number].units)
                self.known[one.result][gain, home] = 1
                if one.bias is not None and number in self.parts[one.bias][place]:
                    self._equal({self.parts[one.bias][place][number]: 1}, {gain: 1})

    # -- equations --------------------------------------------------------------------------------------------------

    def _equal(self, left: Powers, right: Powers) -> None:
        """Both products are equal: one factor is replaced by the others, or none of them may be used."""
        rest = dict(self.solved(left))
        for factor, power in self.solved(right).items():
            rest[factor] = rest.get(factor, 0) - power
        rest = {factor: power for factor, power in rest.items() if power}
        if len(rest) > 1:
            space = {unit for factor in rest for unit in factor.space}
            fit = [factor for factor, power in rest.items() if abs(power) == 1 and set(factor.space) == space]
            if fit:
                last = max(fit, key=lambda factor: factor.rank)
                sign = rest.pop(last)
                self.replaced[last] = {factor: -sign * power for factor, power in rest.items()}
                return
        if rest:
            self.marks.append((rest, UNLIKE, UNLIKE))
