"""Explicit SIMD for Numba: a value that holds one number for each of eight atoms.

LLVM vectorises a loop over atoms only behind run-time checks that its arrays do not overlap, and keeps no
sum in a register across such loops.  A vector *type* needs neither: ``Lanes`` is LLVM's ``<8 x double>``, with
``+ - *`` on it, and the loops around it stay ordinary Numba.  LLVM lowers it to AVX-512, AVX2, NEON or SSE.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import models
from numba.core.extending import intrinsic, overload, register_model

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
    """The address of ``array[index]`` as a pointer to a vector."""
    struct = context.make_array(array_type)(context, builder, array)
    address = builder.gep(struct.data, [index])
    return builder.bitcast(address, _VECTOR.as_pointer())


def _is_flat(array) -> bool:
    return isinstance(array, types.Array) and array.ndim == 1 and array.dtype == types.float64


@intrinsic
def load(typingctx, array, index):
    """The eight doubles of a flat array from ``index`` on."""
    if not (_is_flat(array) and isinstance(index, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        position = context.cast(builder, args[1], signature.args[1], types.intp)
        pointer = _element_pointer(context, builder, signature.args[0], args[0], position)
        return builder.load(pointer, align=8)

    return lanes_type(array, index), codegen


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
def broadcast(typingctx, scalar):
    """The same double in every lane."""
    if not isinstance(scalar, (types.Float, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        value = context.cast(builder, args[0], signature.args[0], types.float64)
        single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), mask)

    return lanes_type(scalar), codegen


def _binary(instruction: str):
    @intrinsic
    def operation(typingctx, left, right):
        if not (isinstance(left, LanesType) and isinstance(right, LanesType)):
            return None

        def codegen(context, builder, signature, args):
            return getattr(builder, instruction)(args[0], args[1], flags=_FLAGS)

        return lanes_type(left, right), codegen

    return operation


_add, _subtract, _multiply, _divide = (_binary(name) for name in ("fadd", "fsub", "fmul", "fdiv"))


def _overload_operator(symbol, operation) -> None:
    """Let ``symbol`` act on two lanes, or on lanes and a number on either side."""

    @overload(symbol)
    def implementation(left, right):
        number = (types.Float, types.Integer)
        if isinstance(left, LanesType) and isinstance(right, LanesType):
            return lambda left, right: operation(left, right)
        if isinstance(left, LanesType) and isinstance(right, number):
            return lambda left, right: operation(left, broadcast(right))
        if isinstance(left, number) and isinstance(right, LanesType):
            return lambda left, right: operation(broadcast(left), right)
        return None


for _symbol, _operation in (
    (operator.add, _add),
    (operator.iadd, _add),
    (operator.sub, _subtract),
    (operator.isub, _subtract),
    (operator.mul, _multiply),
    (operator.imul, _multiply),
    (operator.truediv, _divide),
):
    _overload_operator(_symbol, _operation)
