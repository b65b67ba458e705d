"""The identity of an event: one keyed hash, made once at the door and carried along."""

import hashlib
from struct import Struct

from service.domain.ids import IdHash, Partition

HASH_BYTES = 16
KEY_BYTES = 32
_HEAD = Struct(">IBqHH")
_PREFIX = Struct(">Q")


class IdHasher:
    """BLAKE2b-128 (RFC 7693) under the installation's key: nobody outside can aim at a partition."""

    def __init__(self, key: bytes) -> None:
        self._start = hashlib.blake2b(key=key, digest_size=HASH_BYTES)

    def of(self, tenant: int, source: str, event_id: str, time_us: int | None) -> IdHash:
        """The hash of an event: 16 bytes, the same for every copy of it.

        `time_us` is the instant that the event names, None where it names none. Lengths are part of
        the input, so that no two different events share it.
        """
        source_bytes = source.encode()
        id_bytes = event_id.encode()
        digest = self._start.copy()
        timed = time_us is not None
        digest.update(_HEAD.pack(tenant, timed, time_us if timed else 0, len(source_bytes), len(id_bytes)))
        digest.update(source_bytes)
        digest.update(id_bytes)
        return IdHash(digest.digest())


def partition_of(id_hash: bytes, partitions: int) -> Partition:
    """The partition of the log that all copies of an event meet in."""
    first: int = _PREFIX.unpack_from(id_hash)[0]
    return Partition(first % partitions)
