"""The documentation names every key that a file can have."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from service.domain.config import TenantConfig

DOCUMENT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models_in(each)


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name
        for inner in models_in(field.annotation):
            yield from keys_of(inner)


def test_every_key_is_documented() -> None:
    missing = [key for key in keys_of(TenantConfig) if f"{key}`" not in DOCUMENT and f"[{key}" not in DOCUMENT]
    assert missing == []
