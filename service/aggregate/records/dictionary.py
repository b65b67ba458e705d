"""Compiled: equal texts get equal codes, and codes are texts again."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from service.aggregate.records.compiling import compiled
from service.aggregate.records.msgpack import WORD, Words

Ints = npt.NDArray[np.int64]

MOST_PROBES: Final = 64
"""So many texts are looked at for one; hashes of good will need two or three."""

_ODD: Final = np.uint64(0xFF51AFD7ED558CCD)
_ONES: Final = 0x0101010101010101
_HIGHS: Final = np.int64(-0x7F7F7F7F7F7F7F80)


class Dictionary(NamedTuple):
    """Distinct texts by their codes, from 1 on: an open-addressing hash table of places in the data."""

    table: Ints
    """Codes by hash, 0 for none; its length is a power of two."""
    begins: Ints
    lengths: Ints
    taken: Ints
    """One number: how many codes there are, 0 among them."""
    alike: Ints
    """One number: how many texts may have got a code though there was one for them already."""


def dictionary(texts: int) -> Dictionary:
    """Make an empty dictionary with room for so many texts."""
    size = 1 << max(10, (2 * texts).bit_length())
    room = size // 2
    return Dictionary(
        table=np.zeros(size, dtype=np.int64),
        begins=np.zeros(room, dtype=np.int64),
        lengths=np.zeros(room, dtype=np.int64),
        taken=np.ones(1, dtype=np.int64),
        alike=np.zeros(1, dtype=np.int64),
    )


@compiled
def codes_of(words: Words, cells: Ints, sizes: Ints, known: Dictionary) -> bool:
    """Replace places of texts by their codes, given out to those that are new; false where there is no room for more.

    Equal texts get one code, but for those that MOST_PROBES others stand before: senders may choose texts whose hashes
    are alike, and then a code more costs less than a look at all of them.
    """
    table, begins, lengths, taken = known.table, known.begins, known.lengths, known.taken
    mask = len(table) - 1
    before, code = 0, 0  # of the row before, which often has the same text
    for row in range(len(cells)):
        begin, length = cells[row], sizes[row]
        if length == 0:
            cells[row] = 0
            continue
        if code != 0 and lengths[code] == length and _alike(words, before, begin, length):
            cells[row] = code
            continue
        before = begin
        slot = _hash_of(words, begin, length) & mask
        code, probes = table[slot], 0
        while code != 0 and not (lengths[code] == length and _alike(words, begins[code], begin, length)):
            slot = (slot + 1) & mask
            code = table[slot] if probes < MOST_PROBES else 0
            probes += 1
        if code == 0:
            code = taken[0]
            if code == len(begins):
                return False
            if probes <= MOST_PROBES:
                table[slot] = code
            else:
                known.alike[0] += 1
            begins[code], lengths[code] = begin, length
            taken[0] = code + 1
        cells[row] = code
    return True


@compiled
def joined(words: Words, begins: Ints, lengths: Ints, out: Words) -> bool:
    """Copy texts one after another to `out`, a NUL behind each; false where one has a NUL itself.

    `out` are words that overlap, too: the end of one that is longer than its text is written over by the next.
    """
    place = 0
    for text in range(len(begins)):
        begin, length = begins[text], lengths[text]
        for offset in range(0, length, WORD):
            word = full = _piece(words, begin, offset, length)
            if length - offset < WORD:
                full |= -1 << 8 * (length - offset)
            # A byte is zero where taking one from it borrows: https://graphics.stanford.edu/~seander/bithacks.html#ZeroInWord
            if (full - _ONES) & ~full & _HIGHS != 0:
                return False
            out[place + offset] = word
        place += length
        out[place] = 0
        place += 1
    return True


@compiled
def all_ascii(words: Words, begins: Ints, lengths: Ints) -> bool:
    """Whether texts have nothing but ASCII: then they are UTF-8 without being decoded."""
    seen = 0
    for text in range(len(begins)):
        begin, length = begins[text], lengths[text]
        for offset in range(0, length, WORD):
            seen |= _piece(words, begin, offset, length)
    return bool(seen & _HIGHS == 0)


@compiled
def _hash_of(words: Words, begin: int, length: int) -> int:
    """A hash of bytes for the table above: multiply and shift, eight bytes at a time."""
    mixed = np.uint64(length)
    for offset in range(0, length, WORD):
        mixed = (mixed ^ np.uint64(_piece(words, begin, offset, length))) * _ODD
        mixed ^= mixed >> np.uint64(32)
    return int(np.int64(mixed))


@compiled
def _alike(words: Words, one: int, other: int, length: int) -> bool:
    for offset in range(0, length, WORD):  # noqa: SIM110  # generators are not compiled
        if _piece(words, one, offset, length) != _piece(words, other, offset, length):
            return False
    return True


@compiled
def _piece(words: Words, begin: int, offset: int, length: int) -> int:
    """The word at this offset of a text, zeros where the text is over."""
    word: int = words[begin + offset]
    return word if length - offset >= WORD else word & ((1 << 8 * (length - offset)) - 1)
