"""Explicit SIMD for Numba: a value that holds one number for each of eight atoms.

LLVM vectorises a loop over atoms only behind run-time checks that its arrays do not overlap, and keeps no
sum in a register across such loops.  A vector *type* needs neither: ``Lanes`` is LLVM's ``<8 x double>``, with
``+ - *`` on it, and the loops around it stay ordinary Numba.  LLVM lowers it to AVX-512, AVX2, NEON or SSE.
"""

from __future__ import annotations

import operator

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, register_model
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature

#: Atoms that are worked on at once.
LANES = 8

_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)
# Products and sums may fuse into one rounding; nothing else about the arithmetic is relaxed, so that an atom's
# numbers do not depend on which lane it sits in.
_FLAGS = ("contract",)


class LanesType(types.Type):
    """The Numba type of eight doubles side by side."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}xfloat64")


lanes_type = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _VECTOR)


def _element_pointer(context, builder, array_type, array, index):
    """The address of ``array[index]`` as a pointer to as many of the array's numbers as there are lanes."""
    struct = context.make_array(array_type)(context, builder, array)
    address = builder.gep(struct.data, [index])
    vector = ir.VectorType(context.get_data_type(array_type.dtype), LANES)
    return builder.bitcast(address, vector.as_pointer())


def _is_flat(array, *dtypes) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.dtype in (dtypes or (types.float64,))


def _widened(builder, numbers):
    """Single precision as double."""
    return numbers if numbers.type == _VECTOR else builder.fpext(numbers, _VECTOR)


def _splat(builder, scalar, vector):
    """The same scalar in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    single = builder.insert_element(nothing, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(single, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _function(builder, name, result, *arguments):
    """One of LLVM's own functions."""
    signature = ir.FunctionType(result, arguments)
    return builder.module.globals.get(name) or ir.Function(builder.module, signature, name)


@intrinsic
def load(typingctx, array, index):
    """Eight numbers of a flat array from ``index`` on; single precision is widened."""
    if not (_is_flat(array, types.float64, types.float32) and isinstance(index, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        position = context.cast(builder, args[1], signature.args[1], types.intp)
        pointer = _element_pointer(context, builder, signature.args[0], args[0], position)
        return _widened(builder, builder.load(pointer, align=array.dtype.bitwidth // 8))

    return lanes_type(array, index), codegen


@intrinsic
def pick(typingctx, array, index):
    """One number of a flat array; negative indices, for which Numba looks out at every access, are not allowed."""
    if not (isinstance(array, types.Array) and array.ndim == 1 and isinstance(index, types.Integer)):
        return None
    result = array.dtype if isinstance(array.dtype, types.Float) else types.intp

    def codegen(context, builder, signature, args):
        position = context.cast(builder, args[1], signature.args[1], types.intp)
        struct = context.make_array(signature.args[0])(context, builder, args[0])
        value = builder.load(builder.gep(struct.data, [position]))
        return context.cast(builder, value, array.dtype, result)

    return result(array, index), codegen


@intrinsic
def load_first(typingctx, array, index, count):
    """The first ``count`` numbers of a flat array from ``index`` on, zeros after; what lies behind is not touched."""
    if not (_is_flat(array, types.float64, types.float32) and isinstance(count, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        position, count = (context.cast(builder, args[n], signature.args[n], types.intp) for n in (1, 2))
        pointer = _element_pointer(context, builder, signature.args[0], args[0], position)
        vector = pointer.type.pointee
        places = ir.VectorType(ir.IntType(64), LANES)
        wanted = builder.icmp_signed("<", ir.Constant(places, list(range(LANES))), _splat(builder, count, places))
        masked_load = _function(
            builder,
            f"llvm.masked.load.v{LANES}f{array.dtype.bitwidth}.p0",
            vector,
            pointer.type,
            ir.IntType(32),
            wanted.type,
            vector,
        )
        alignment, zeros = ir.Constant(ir.IntType(32), array.dtype.bitwidth // 8), ir.Constant(vector, [0.0] * LANES)
        return _widened(builder, builder.call(masked_load, [pointer, alignment, wanted, zeros]))

    return lanes_type(array, index, count), codegen


@intrinsic
def lane_sum(typingctx, value):
    """The sum of the eight lanes, added in pairs."""
    if not isinstance(value, LanesType):
        return None

    def codegen(context, builder, signature, args):
        reduce = _function(builder, f"llvm.vector.reduce.fadd.v{LANES}f64", _DOUBLE, _DOUBLE, _VECTOR)
        return builder.call(reduce, [ir.Constant(_DOUBLE, 0.0), args[0]], fastmath=("reassoc",))

    return types.float64(value), codegen


@intrinsic
def store(typingctx, array, index, value):
    """Write eight doubles to a flat array from ``index`` on."""
    if not (_is_flat(array) and isinstance(index, types.Integer) and isinstance(value, LanesType)):
        return None

    def codegen(context, builder, signature, args):
        position = context.cast(builder, args[1], signature.args[1], types.intp)
        pointer = _element_pointer(context, builder, signature.args[0], args[0], position)
        builder.store(args[2], pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@intrinsic
def transpose(typingctx, source, index, target, place, apart):
    """Turn eight times eight doubles: number n of lane m, at ``index + 8 n + m``, goes to ``place + apart m + n``."""
    if not (_is_flat(source) and _is_flat(target)):
        return None

    def codegen(context, builder, signature, args):
        position, place, apart = (context.cast(builder, args[n], signature.args[n], types.intp) for n in (1, 3, 4))

        def address(array, start, step, row):
            offset = builder.add(start, builder.mul(step, ir.Constant(step.type, row)))
            return _element_pointer(context, builder, signature.args[array], args[array], offset)

        wide = ir.Constant(position.type, LANES)
        rows = [builder.load(address(0, position, wide, row), align=8) for row in range(LANES)]
        rows = _transposed(builder, rows)
        for row, numbers in enumerate(rows):
            builder.store(numbers, address(2, place, apart, row), align=8)
        return context.get_dummy_value()

    return types.void(source, index, target, place, apart), codegen


def _transposed(builder, rows):
    """Eight vectors of eight numbers, number n of vector m in the place of number m of vector n."""
    rows = list(rows)
    # Blocks of 4 × 4, then of 2 × 2, then single numbers change places across the diagonal.
    for size in (4, 2, 1):
        upper = _mask(lane if not lane & size else lane - size + LANES for lane in range(LANES))
        lower = _mask(lane + size if not lane & size else lane + LANES for lane in range(LANES))
        for row in (row for row in range(LANES) if not row & size):
            pair = rows[row], rows[row + size]
            rows[row], rows[row + size] = (builder.shuffle_vector(*pair, mask) for mask in (upper, lower))
    return rows


def _mask(lanes):
    return ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(lanes))


def _indices(context, builder, kind, indices, first):
    """Eight whole numbers of a flat array from ``first`` on."""
    data = context.make_array(kind)(context, builder, indices).data
    for lane in range(LANES):
        number = builder.load(builder.gep(data, [builder.add(first, ir.Constant(first.type, lane))]))
        yield context.cast(builder, number, kind.dtype, types.intp)


def _columns_of_rows(context, builder, signature, array, places):
    """The eight doubles from each of eight places on, as a tuple of lanes."""
    rows = (
        builder.load(_element_pointer(context, builder, signature.args[0], array, place), align=8) for place in places
    )
    return context.make_tuple(builder, signature.return_type, _transposed(builder, rows))


@intrinsic
def load_rows(typingctx, array, indices, first):
    """Rows ``indices[first]`` to ``indices[first + 7]`` of eight doubles: a tuple with number n of all in place n."""
    if not (_is_flat(array) and isinstance(indices.dtype, types.Integer) and isinstance(first, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        start = context.cast(builder, args[2], signature.args[2], types.intp)
        rows = _indices(context, builder, signature.args[1], args[1], start)
        places = (builder.mul(row, ir.Constant(row.type, LANES)) for row in rows)
        return _columns_of_rows(context, builder, signature, args[0], places)

    return types.UniTuple(lanes_type, LANES)(array, indices, first), codegen


@intrinsic
def load_places(typingctx, array, places):
    """The eight doubles from each of eight places on, whole numbers: a tuple with number n of all in place n."""
    if not (_is_flat(array) and isinstance(places, LanesType)):
        return None

    def codegen(context, builder, signature, args):
        whole = builder.fptosi(args[1], ir.VectorType(ir.IntType(32), LANES))
        lanes = (builder.extract_element(whole, ir.Constant(ir.IntType(32), lane)) for lane in range(LANES))
        found = (builder.sext(place, ir.IntType(64)) for place in lanes)
        return _columns_of_rows(context, builder, signature, args[0], found)

    return types.UniTuple(lanes_type, LANES)(array, places), codegen


@intrinsic
def add_rows(typingctx, array, indices, first, numbers):
    """Add number n of the eight lanes to place n of rows ``indices[first]`` to ``indices[first + 7]``, in this order.

    A row is as long as ``numbers``: one, four or eight.
    """
    if not (_is_flat(array) and isinstance(numbers, types.UniTuple) and numbers.dtype == lanes_type):
        return None
    count = len(numbers)

    def codegen(context, builder, signature, args):
        start = context.cast(builder, args[2], signature.args[2], types.intp)
        columns = [builder.extract_value(args[3], place) for place in range(count)]
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        rows = _transposed(builder, [*columns, *[nothing] * (LANES - count)])
        places = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(count)))
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        for index, row in zip(_indices(context, builder, signature.args[1], args[1], start), rows, strict=True):
            address = builder.gep(data, [builder.mul(index, ir.Constant(index.type, count))])
            address = builder.bitcast(address, ir.VectorType(_DOUBLE, count).as_pointer())
            narrow = builder.shuffle_vector(row, nothing, places)
            builder.store(builder.fadd(builder.load(address, align=8), narrow), address, align=8)
        return context.get_dummy_value()

    return types.void(array, indices, first, numbers), codegen


@intrinsic
def whole_part(typingctx, value):
    """The largest whole number that is not above, in every lane."""
    if not isinstance(value, LanesType):
        return None

    def codegen(context, builder, signature, args):
        return builder.call(_function(builder, f"llvm.floor.v{LANES}f64", _VECTOR, _VECTOR), args)

    return lanes_type(value), codegen


@intrinsic
def broadcast(typingctx, scalar):
    """The same double in every lane."""
    if not isinstance(scalar, (types.Float, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.float64)
        return _splat(builder, value, _VECTOR)

    return lanes_type(scalar), codegen


@intrinsic
def square_root(typingctx, value):
    """√ of every lane."""
    if not isinstance(value, LanesType):
        return None

    def codegen(context, builder, signature, args):
        return builder.call(_function(builder, f"llvm.sqrt.v{LANES}f64", _VECTOR, _VECTOR), args)

    return lanes_type(value), codegen


@intrinsic
def where_less(typingctx, left, right, chosen, otherwise):
    """``chosen`` in the lanes where ``left < right``, ``otherwise`` in the others."""
    if not all(isinstance(value, LanesType) for value in (left, right, chosen, otherwise)):
        return None

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return lanes_type(left, right, chosen, otherwise), codegen


def _as_lanes(context, builder, value, kind):
    """A number in every lane, or the lanes as they are."""
    if isinstance(kind, LanesType):
        return value
    return _splat(builder, context.cast(builder, value, kind, types.float64), _VECTOR)


def _define_operator(symbol, instruction: str) -> None:
    """Let ``symbol`` act on two lanes, or on lanes and a number on either side, as one instruction of LLVM.

    ``overload`` would do it in fewer lines, but compile a function for each pair of types.
    """
    numbers = (types.Float, types.Integer)

    @infer_global(symbol)
    class Typing(AbstractTemplate):
        def generic(self, args, kws):
            lanes = [isinstance(kind, LanesType) for kind in args]
            if len(args) == 2 and any(lanes) and all(isinstance(kind, (LanesType, *numbers)) for kind in args):
                return signature(lanes_type, *args)
            return None

    def lower(context, builder, signature, args):
        left, right = (
            _as_lanes(context, builder, value, kind) for value, kind in zip(args, signature.args, strict=True)
        )
        return getattr(builder, instruction)(left, right, flags=_FLAGS)

    for kind in (LanesType, *numbers):
        lower_builtin(symbol, LanesType, kind)(lower)
        lower_builtin(symbol, kind, LanesType)(lower)


for _symbol, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.isub, "fsub"),
    (operator.mul, "fmul"),
    (operator.imul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _define_operator(_symbol, _instruction)


@njit(cache=True, nogil=True)
def aligned(count):
    """Room for ``count`` doubles that begins at a cache line: lanes that straddle two take twice the time to load."""
    room = np.empty(count + LANES)
    first = -(room.ctypes.data // 8) % LANES
    return room[first : first + count]
