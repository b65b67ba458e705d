"""The identity of an event: stored ids depend on it, so no release may make another one of the same event."""

import struct
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.identity import KEY_BYTES, IdHasher, partition_of
from service.domain.timestamps import MAX_INSTANT_US

from .samples import PATIENT

KEY = bytes(range(KEY_BYTES))
HASHER = IdHasher(KEY)
USE = (1, "/shop/web", "3f8a2c1e-use-1")
FROZEN = [
    ((*USE, 1_763_371_800_250_000), "4181301a8e6c66b5e27560000d377ed9", 9),
    ((*USE, None), "114ea375ea96037aa227b2c17b0408c7", 2),
    ((*USE, 0), "9f257c82c314e43e2a7723119775548a", 10),
    ((2**32 - 1, "/köln/東京", "é", MAX_INSTANT_US), "f755cb8c6046a69cd72ee8901739d5cf", 8),
    ((7, "/" * 256, "x" * 256, 1), "9d206e1a5653a1d7690d426769196368", 3),
    ((7, "/" * 95, "x" * 16, 1), "e80a1d63966f2234c7bf5739ca4a4252", 0),  # as long as a block of BLAKE2b
    ((7, "/" * 95, "x" * 17, 1), "6bc6058b241053c079e5b422bf2c1769", 8),
]
"""Made by the first release, never to be made again: event, hash, and its partition of twelve."""
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@pytest.mark.parametrize(("event", "expected", "partition"), FROZEN)
def test_an_event_keeps_its_hash_and_its_partition_for_ever(
    event: tuple[int, str, str, int | None], expected: str, partition: int
) -> None:
    made = HASHER.of(*event)
    assert (made.hex(), partition_of(made, 12)) == (expected, partition)


@given(st.integers(0, 2**32 - 1), TEXTS, TEXTS, st.none() | st.integers(0, MAX_INSTANT_US))
@PATIENT
def test_a_hash_is_keyed_blake2b_over_tenant_time_lengths_and_texts(
    tenant: int, source: str, name: str, time: int | None
) -> None:
    lengths = (len(source.encode()), len(name.encode()))
    text = struct.pack(">I?qHH", tenant, time is not None, time or 0, *lengths) + (source + name).encode()
    assert HASHER.of(tenant, source, name, time) == blake2b(text, key=KEY, digest_size=16).digest()
