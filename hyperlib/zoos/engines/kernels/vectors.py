"""A Numba type for a vector of float32, one element per image, which lives in one register of the processor.

Numba has no such type: loops over eight or sixteen images are left to the compiler's judgement, which kept a third to
a sixth of the speed in our trials. Here a vector is a value like any other: it is loaded, added, multiplied and
stored, and the compiler has nothing to guess. This is the only file that speaks LLVM; `lanes` puts ordinary numbers in
its place where a release of Numba has changed what is used here. Our choice.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

from hyperlib.zoos.engines.kernels.processor import ACCUMULATORS, LANES  # noqa: F401 (as scalars have it)

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_BITS = ir.VectorType(ir.IntType(32), LANES)
_CONTRACT = ("contract",)  # a product and a sum may become one instruction where the processor has it


class VectorType(types.Type):
    """One float32 for each lane."""

    def __init__(self) -> None:
        super().__init__(name=f"Vector{LANES}")


class RegistersType(types.Type):
    """A fixed number of vectors, which the compiler keeps in registers once loops over them are unrolled."""

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(name=f"Registers{count}x{LANES}")


vector = VectorType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: VectorType) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


@register_model(RegistersType)
class _RegistersModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: RegistersType) -> None:
        super().__init__(dmm, fe_type, ir.ArrayType(_VECTOR, fe_type.count).as_pointer())


def _place(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Address of a float32 in an array, without checks of bounds."""
    data = cgutils.create_struct_proxy(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _whole(builder: Any, array_type: Any, index: Any) -> Any:
    return builder.mul(index, ir.Constant(index.type, LANES))


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The vector at place `index`, counted in vectors."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], _whole(builder, array, arguments[1]))
        value = builder.load(builder.bitcast(place, _VECTOR.as_pointer()))
        value.align = 4
        return value

    return vector(array, types.int64), code


@intrinsic
def store(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Put a vector at place `index`, counted in vectors."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], _whole(builder, array, arguments[1]))
        builder.store(arguments[2], builder.bitcast(place, _VECTOR.as_pointer())).align = 4
        return context.get_dummy_value()

    return types.void(array, types.int64, vector), code


def _in_all(builder: Any, number: Any) -> Any:
    one = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(_BITS, [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(_VECTOR, ir.Undefined), zeros)


@intrinsic
def spread(typing: Any, array: Any, index: Any) -> Any:
    """The single number at place `index`, in all lanes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _in_all(builder, builder.load(_place(context, builder, signature.args[0], *arguments)))

    return vector(array, types.int64), code


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """A number in all lanes."""
    return vector(types.float32), lambda context, builder, signature, arguments: _in_all(builder, arguments[0])


@intrinsic
def total(typing: Any, value: Any) -> Any:
    """Sum over the lanes, halves onto halves."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (rest,), lanes = arguments, LANES
        while lanes > 1:
            lanes //= 2
            index = ir.VectorType(ir.IntType(32), lanes)
            halves = [
                builder.shuffle_vector(rest, ir.Constant(rest.type, ir.Undefined), ir.Constant(index, list(places)))
                for places in (range(lanes), range(lanes, 2 * lanes))
            ]
            rest = builder.fadd(*halves)
        return builder.extract_element(rest, ir.Constant(ir.IntType(32), 0))

    return types.float32(vector), code


@intrinsic
def fma(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, c = arguments
        return builder.fadd(builder.fmul(a, b, flags=_CONTRACT), c, flags=_CONTRACT)

    return vector(vector, vector, vector), code


def _compare(relation: str) -> Callable[..., Any]:
    @intrinsic
    def where(typing: Any, a: Any, b: Any, yes: Any, no: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            a, b, yes, no = arguments
            return builder.select(builder.fcmp_ordered(relation, a, b), yes, no)

        return vector(vector, vector, vector, vector), code

    return where


where_greater, where_equal = _compare(">"), _compare("==")  # of a and b: `yes` where it holds, else `no`


@intrinsic
def power_of_two(typing: Any, whole: Any) -> Any:
    """2 to a whole number between -126 and 127, by its bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = builder.fptosi(arguments[0], _BITS)
        bias, shift = (ir.Constant(_BITS, [constant] * LANES) for constant in (127, 23))
        return builder.bitcast(builder.shl(builder.add(number, bias), shift), _VECTOR)

    return vector(vector), code


def registers(count: int) -> Callable[[], Any]:
    """A maker of `count` vectors; see `get` and `put`."""

    @intrinsic
    def make(typing: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return cgutils.alloca_once(builder, ir.ArrayType(_VECTOR, count))

        return RegistersType(count)(), code

    return make


def _register(builder: Any, held: Any, index: Any) -> Any:
    return builder.gep(held, [ir.Constant(ir.IntType(64), 0), index], inbounds=True)


@intrinsic
def get(typing: Any, held: Any, index: Any) -> Any:
    """The vector in register `index`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_register(builder, *arguments))

    return vector(held, types.int64), code


@intrinsic
def put(typing: Any, held: Any, index: Any, value: Any) -> Any:
    """Put a vector into register `index`."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _register(builder, *arguments[:2]))
        return context.get_dummy_value()

    return types.void(held, types.int64, vector), code


def _operator(symbol: Callable[..., Any], instruction: str) -> None:
    @intrinsic
    def apply(typing: Any, a: Any, b: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return vector(vector, vector), code

    @overload(symbol)
    def operate(a, b):  # noqa: ANN001, ANN202 (Numba compares this signature with the inner one)
        if a is vector and b is vector:
            return lambda a, b: apply(a, b)
        return None


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_symbol, _instruction)


@intrinsic
def load_from(typing: Any, array: Any, start: Any) -> Any:
    """The vector of the numbers that begin at place `start`, counted in numbers."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        value = builder.load(builder.bitcast(place, _VECTOR.as_pointer()))
        value.align = 4
        return value

    return vector(array, types.int64), code


@intrinsic
def turn(typing: Any, held: Any) -> Any:
    """Transpose `LANES` registers in place: number j of vector i becomes number i of vector j."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = [ir.Constant(ir.IntType(64), number) for number in range(LANES)]
        rows = [builder.load(_register(builder, arguments[0], place)) for place in places]
        width = LANES // 2
        while width:  # exchange blocks of this width between rows that far apart
            for row in range(LANES):
                if not row & width:
                    rows[row], rows[row + width] = (
                        builder.shuffle_vector(rows[row], rows[row + width], ir.Constant(_BITS, choice))
                        for choice in _exchange(width)
                    )
            width //= 2
        for place, row in zip(places, rows, strict=True):
            builder.store(row, _register(builder, arguments[0], place))
        return context.get_dummy_value()

    return types.void(held), code


@intrinsic
def sum_lanes(typing: Any, held: Any) -> Any:
    """Put the totals of registers 0, 1, ... into the lanes of register 0, then of register 1, and so on."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        places = [ir.Constant(ir.IntType(64), number) for number in range(held.count)]
        rows = [builder.load(_register(builder, arguments[0], place)) for place in places]
        evens, odds = (ir.Constant(_BITS, list(range(first, 2 * LANES, 2))) for first in (0, 1))
        for block in range(0, held.count, LANES):
            some = rows[block : block + LANES]
            for _ in range(LANES.bit_length() - 1):  # sums of neighbours, of two vectors side by side
                pairs = zip(some[::2], [*some[1::2], some[-1]], strict=False)
                some = [
                    builder.fadd(builder.shuffle_vector(*pair, evens), builder.shuffle_vector(*pair, odds))
                    for pair in pairs
                ]
            builder.store(some[0], _register(builder, arguments[0], places[block // LANES]))
        return context.get_dummy_value()

    return types.void(held), code


@intrinsic
def lane(typing: Any, value: Any, number: Any) -> Any:
    """One number of a vector."""
    return types.float32(vector, types.int64), lambda context, builder, signature, arguments: builder.extract_element(
        *arguments
    )


def _exchange(width: int) -> tuple[list[int], list[int]]:
    """Which numbers of two rows, the second counted from `LANES`, the new first and second row take."""
    first = [lane if not lane & width else LANES + lane - width for lane in range(LANES)]
    second = [lane + width if not lane & width else LANES + lane for lane in range(LANES)]
    return first, second
