"""The embedded Postgres takes a share of the memory that there is, and never more than a container may have."""

import os
from pathlib import Path

import pytest

from service.store import embedded_memory
from service.store.embedded_memory import MEGABYTE, shared_buffers


@pytest.mark.parametrize(
    ("limit", "taken"),
    [
        (f"{4_096 * MEGABYTE}\n", "512MB"),
        (f"{512 * MEGABYTE}\n", "128MB"),
        (f"{1 << 62}\n", "1024MB"),
        ("max\n", "1024MB"),
        (None, "1024MB"),
    ],
)
def test_an_eighth_of_what_a_container_may_have_within_bounds(
    limit: str | None, taken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "memory.max"
    if limit is not None:
        file.write_text(limit)
    monkeypatch.setattr(embedded_memory, "LIMITS", (file,))
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 4 * 2**20, "SC_PAGE_SIZE": 4_096}.__getitem__)
    assert shared_buffers() == taken


def test_where_nobody_says_how_much_there_is_the_least_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str) -> int:
        raise ValueError(name)

    monkeypatch.setattr(os, "sysconf", unknown)
    assert shared_buffers() == "128MB"
