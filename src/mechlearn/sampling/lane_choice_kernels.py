"""More of explicit SIMD: which lanes pass a test, as the bits of a word, and numbers picked from an array."""

from __future__ import annotations

from llvmlite import ir
from numba.core import types
from numba.core.extending import intrinsic

from mechlearn.descriptors.lane_kernels import LANES, LanesType, lanes_type

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)


@intrinsic
def lanes_below(typingctx, value, bound):
    """A byte with a bit for each lane: whether ``value < bound``."""
    if not (isinstance(value, LanesType) and isinstance(bound, LanesType)):
        return None

    def codegen(context, builder, signature, args):
        return builder.bitcast(builder.fcmp_ordered("<", args[0], args[1]), ir.IntType(LANES))

    return types.uint8(value, bound), codegen


@intrinsic
def lane_least(typingctx, value):
    """The least of the eight lanes."""
    if not isinstance(value, LanesType):
        return None

    def codegen(context, builder, signature, args):
        name, kind = f"llvm.vector.reduce.fmin.v{LANES}f64", ir.FunctionType(ir.DoubleType(), [_VECTOR])
        return builder.call(builder.module.globals.get(name) or ir.Function(builder.module, kind, name), [args[0]])

    return types.float64(value), codegen


@intrinsic
def lowest_bit(typingctx, word):
    """The place of the lowest bit that is set in a word that is not zero."""
    if word != types.uint64:
        return None

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(word), codegen


@intrinsic
def bit_count(typingctx, word):
    """How many bits of a word are set."""
    if word != types.uint64:
        return None

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(word), codegen


@intrinsic
def gather(typingctx, array, indices, at):
    """The eight numbers ``array[indices[at]]``, …, ``array[indices[at + 7]]``."""
    if not (array == types.float64[::1] and indices == types.int64[::1] and isinstance(at, types.Integer)):
        return None

    def codegen(context, builder, signature, args):
        numbers, places = (
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[:2], args[:2], strict=True)
        )
        position = context.cast(builder, args[2], signature.args[2], types.intp)
        picked = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            place = builder.load(builder.gep(places, [builder.add(position, ir.Constant(position.type, lane))]))
            number = builder.load(builder.gep(numbers, [place]))
            picked = builder.insert_element(picked, number, ir.Constant(ir.IntType(32), lane))
        return picked

    return lanes_type(array, indices, at), codegen
