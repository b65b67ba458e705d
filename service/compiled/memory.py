"""Memory by its addresses, for compiled loops: to pass an integer costs nothing, an array 20 ns and more a call.

Nothing here looks at bounds: whoever reads has its bytes followed by SPARE zeros, whoever writes has asked for room.
Integers are little-endian, as the machines are that we run on.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SPARE: Final = 32
"""Zeros behind bytes that are read by words, and room behind bytes that are written by them."""

Reading = Callable[[int], int]
Unsigned = Callable[[int], np.uint64]
Writing = Callable[[int, int], None]
WritingUnsigned = Callable[[int, np.uint64], None]

_INTEGER = ir.IntType(64)


def _load(builder: Any, address: Any, width: int) -> Any:
    kind = ir.IntType(width)
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1
    return value


def _store(context: Any, builder: Any, arguments: Any, width: int) -> Any:
    kind = ir.IntType(width)
    address, value = arguments
    stored = builder.store(
        builder.trunc(value, kind) if width < _INTEGER.width else value, builder.inttoptr(address, kind.as_pointer())
    )
    stored.align = 1
    return context.get_dummy_value()


@intrinsic
def _byte_at(_context: Any, _address: Any) -> Any:
    def made(_backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.zext(_load(builder, arguments[0], 8), _INTEGER)

    return types.int64(types.int64), made


byte_at = cast(Reading, _byte_at)
"""One byte: 0 to 255."""


@intrinsic
def _word_at(_context: Any, _address: Any) -> Any:
    def made(_backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _load(builder, arguments[0], 64)

    return types.int64(types.int64), made


word_at = cast(Reading, _word_at)
"""Eight bytes as a signed integer."""


@intrinsic
def _unsigned_at(_context: Any, _address: Any) -> Any:
    def made(_backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _load(builder, arguments[0], 64)

    return types.uint64(types.int64), made


unsigned_at = cast(Unsigned, _unsigned_at)
"""Eight bytes as an unsigned integer."""


@intrinsic
def _put_byte(_context: Any, _address: Any, _value: Any) -> Any:
    def made(backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _store(backend, builder, arguments, 8)

    return types.void(types.int64, types.int64), made


put_byte = cast(Writing, _put_byte)
"""Write the lowest byte of a value."""


@intrinsic
def _put_word(_context: Any, _address: Any, _value: Any) -> Any:
    def made(backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _store(backend, builder, arguments, 64)

    return types.void(types.int64, types.int64), made


put_word = cast(Writing, _put_word)
"""Write eight bytes."""


@intrinsic
def _put_unsigned(_context: Any, _address: Any, _value: Any) -> Any:
    def made(backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _store(backend, builder, arguments, 64)

    return types.void(types.int64, types.uint64), made


put_unsigned = cast(WritingUnsigned, _put_unsigned)
"""Write eight bytes of an unsigned integer."""


@intrinsic
def _swapped(_context: Any, _word: Any) -> Any:
    def made(_backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bswap(arguments[0])

    return types.int64(types.int64), made


swapped = cast(Reading, _swapped)
"""The word with its bytes in the other order: big-endian for little-endian."""


@intrinsic
def _trailing_zeros(_context: Any, _word: Any) -> Any:
    def made(_backend: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), made


trailing_zeros = cast(Reading, _trailing_zeros)
"""How many zero bits a word ends in; 64 for 0."""
