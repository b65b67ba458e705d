"""Whatever can be declared is read by somebody."""

import re
import tomllib
from pathlib import Path

from service.domain.config import TenantConfig

SERVICE = Path(__file__).parents[2] / "service"
EXAMPLE = (Path(__file__).parent / "example.toml").read_text()
OURS = ("domain/config/", "expose/configuration.py", "cli/config.py", "store/config_checks.py")
"""What reads all of it, and acts on none of it."""
BY_WAY_OF = {"properties": "to_fold", "milestones": "to_fold", "targets": "targets_by_kpi", "kafka_sources": "kafka_source"}
"""Tables that are read in another form."""


def readers(field: str, key: str) -> list[str]:
    """The modules that read a table: as an attribute of a configuration, or by its key from the relation `declared`."""
    name = BY_WAY_OF.get(field, field)
    read = re.compile(rf"\.{name}\b|'{key}'|'\{{+{key}[,}}]")
    files = [path for path in SERVICE.rglob("*") if path.suffix in {".py", ".sql"}]
    named = {path.relative_to(SERVICE).as_posix(): path for path in files}
    return [
        name for name, path in named.items() if not name.startswith(OURS) and _of_config(path) and read.search(path.read_text())
    ]


def _of_config(path: Path) -> bool:
    """Whether a module has to do with configurations at all."""
    text = path.read_text()
    return "config" in text or "declared" in text


def test_the_example_holds_every_table_that_can_be_declared() -> None:
    keys = {field.alias or name for name, field in TenantConfig.model_fields.items()}
    assert set(tomllib.loads(EXAMPLE)) == keys


def test_every_table_is_read_by_somebody() -> None:
    unread = {
        name
        for name, field in TenantConfig.model_fields.items()
        if name != "valid_from" and not readers(name, field.alias or name)
    }
    assert unread == set()
