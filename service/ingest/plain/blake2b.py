"""Compiled BLAKE2b (RFC 7693, sections 2 and 3): what `domain/identity.py` has from the standard library, many at a time."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from service.compiled.compiling import compiled
from service.compiled.memory import put_unsigned, unsigned_at

BLOCK: Final = 128
STATE_BYTES: Final = 64
WORD: Final = 8

_START: Final = (
    0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
    0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
)  # fmt: skip
"""The initialization vector (section 2.6)."""
_IV0, _IV1, _IV2, _IV3, _IV4, _IV5, _IV6, _IV7 = (np.uint64(word) for word in _START)
_SCHEDULE: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
"""Which word of the block each step takes (section 2.7); rounds 10 and 11 are rounds 0 and 1 again."""
_PLACES: Final = np.array([word * WORD for number in range(12) for word in _SCHEDULE[number % 10]], dtype=np.int64)
_ROUNDS_END: Final = len(_PLACES)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)
_16, _24, _32, _63 = np.uint64(16), np.uint64(24), np.uint64(32), np.uint64(63)
_48, _40, _1 = np.uint64(48), np.uint64(40), np.uint64(1)

Four = tuple[Any, Any, Any, Any]


@compiled
def _mixed(a: Any, b: Any, c: Any, d: Any, x: Any, y: Any) -> Four:
    """The mixing function G (section 3.1)."""
    a = a + b + x
    d = d ^ a
    d = (d >> _32) | (d << _32)
    c = c + d
    b = b ^ c
    b = (b >> _24) | (b << _40)
    a = a + b + y
    d = d ^ a
    d = (d >> _16) | (d << _48)
    c = c + d
    b = b ^ c
    b = (b >> _63) | (b << _1)
    return a, b, c, d


@compiled
def compress(state: int, block: int, taken: int, last: bool, into: int) -> None:
    """The compression function F (section 3.2): the state and a block at these addresses become the state at `into`.

    `taken` is how many bytes have been taken, this block's own among them.
    """
    a0, a1, a2, a3 = unsigned_at(state), unsigned_at(state + 8), unsigned_at(state + 16), unsigned_at(state + 24)
    b0, b1, b2, b3 = unsigned_at(state + 32), unsigned_at(state + 40), unsigned_at(state + 48), unsigned_at(state + 56)
    c0, c1, c2, c3 = _IV0, _IV1, _IV2, _IV3
    d0, d1, d2, d3 = _IV4 ^ np.uint64(taken), _IV5, _IV6, _IV7
    if last:
        d2 = d2 ^ _ALL
    for at in range(0, _ROUNDS_END, 16):
        x, y = unsigned_at(block + _PLACES[at]), unsigned_at(block + _PLACES[at + 1])
        a0, b0, c0, d0 = _mixed(a0, b0, c0, d0, x, y)
        x, y = unsigned_at(block + _PLACES[at + 2]), unsigned_at(block + _PLACES[at + 3])
        a1, b1, c1, d1 = _mixed(a1, b1, c1, d1, x, y)
        x, y = unsigned_at(block + _PLACES[at + 4]), unsigned_at(block + _PLACES[at + 5])
        a2, b2, c2, d2 = _mixed(a2, b2, c2, d2, x, y)
        x, y = unsigned_at(block + _PLACES[at + 6]), unsigned_at(block + _PLACES[at + 7])
        a3, b3, c3, d3 = _mixed(a3, b3, c3, d3, x, y)
        x, y = unsigned_at(block + _PLACES[at + 8]), unsigned_at(block + _PLACES[at + 9])
        a0, b1, c2, d3 = _mixed(a0, b1, c2, d3, x, y)
        x, y = unsigned_at(block + _PLACES[at + 10]), unsigned_at(block + _PLACES[at + 11])
        a1, b2, c3, d0 = _mixed(a1, b2, c3, d0, x, y)
        x, y = unsigned_at(block + _PLACES[at + 12]), unsigned_at(block + _PLACES[at + 13])
        a2, b3, c0, d1 = _mixed(a2, b3, c0, d1, x, y)
        x, y = unsigned_at(block + _PLACES[at + 14]), unsigned_at(block + _PLACES[at + 15])
        a3, b0, c1, d2 = _mixed(a3, b0, c1, d2, x, y)
    put_unsigned(into, unsigned_at(state) ^ a0 ^ c0)
    put_unsigned(into + 8, unsigned_at(state + 8) ^ a1 ^ c1)
    put_unsigned(into + 16, unsigned_at(state + 16) ^ a2 ^ c2)
    put_unsigned(into + 24, unsigned_at(state + 24) ^ a3 ^ c3)
    put_unsigned(into + 32, unsigned_at(state + 32) ^ b0 ^ d0)
    put_unsigned(into + 40, unsigned_at(state + 40) ^ b1 ^ d1)
    put_unsigned(into + 48, unsigned_at(state + 48) ^ b2 ^ d2)
    put_unsigned(into + 56, unsigned_at(state + 56) ^ b3 ^ d3)


@compiled
def digest(keyed: int, message: int, length: int, into: int) -> None:
    """Hash a message behind a key's block, whose state is at `keyed`; its state, the digest in front, comes to `into`.

    The message is at least one byte, and zeros follow it to the end of its last block.
    """
    state, left, taken = keyed, length, BLOCK
    while left > BLOCK:
        taken += BLOCK
        compress(state, message, taken, False, into)
        state, message, left = into, message + BLOCK, left - BLOCK
    compress(state, message, taken + left, True, into)


def keyed_state(key: bytes, digest_size: int) -> npt.NDArray[np.uint64]:
    """The state behind the key's block, with which each hash begins (section 3.3)."""
    state = np.array(_START, dtype=np.uint64)
    state[0] ^= np.uint64(0x01010000 ^ len(key) << 8 ^ digest_size)
    block = np.zeros(BLOCK, dtype=np.uint8)
    block[: len(key)] = np.frombuffer(key, dtype=np.uint8)
    compress(state.ctypes.data, block.ctypes.data, BLOCK, False, state.ctypes.data)
    return state
