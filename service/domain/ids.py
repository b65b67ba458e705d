"""The identities that travel through the service."""

from typing import NewType

TenantId = NewType("TenantId", int)
"""The number of a tenant, given out by Postgres, never reused."""

Partition = NewType("Partition", int)
"""A partition of the event log, from 0."""

Offset = NewType("Offset", int)
"""The position of a record in its partition, from 0 without gaps."""

IdHash = NewType("IdHash", bytes)
"""16 bytes: keyed BLAKE2b-128 of (tenant, source, id, instant of `time`)."""
