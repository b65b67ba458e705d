"""Writing a configuration as a TOML file (https://toml.io/en/v1.0.0): what a person would have written, table by table."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_DELETE: Final = "\x7f"


def toml_of(data: Mapping[str, Any]) -> str:
    """The text of nested tables; nulls are left out, tables stand behind the plain keys, and deep ones within their line."""
    lists = {name: value for name, value in data.items() if _is_list_of_tables(value)}
    tables = {name: value for name, value in data.items() if isinstance(value, Mapping)}
    parts = [_pairs({name: value for name, value in data.items() if name not in lists and name not in tables})]
    for name in data:
        if name in tables:
            parts += _tables(name, tables[name])
        elif name in lists:
            parts += [f"[[{_key(name)}]]\n{_pairs(each)}" for each in lists[name]]
    return "\n".join(part for part in parts if part)


def value_text(value: object) -> str:
    """One value as TOML has it; raises TypeError for what it has no form for."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace(_DELETE, "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004  # digits of a float
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(name)} = {value_text(each)}" for name, each in value.items() if each is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(value_text(each) for each in value)}]"
    raise TypeError(f"TOML has no form for {value!r}")


def _tables(name: str, table: Mapping[str, Any]) -> list[str]:
    """A table, and the tables in it."""
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    plain = _pairs({key: value for key, value in table.items() if key not in inner})
    own = [f"[{_key(name)}]\n{plain}"] if plain or not inner else []
    return own + [f"[{_key(name)}.{_key(key)}]\n{_pairs(value)}" for key, value in inner.items()]


def _pairs(table: Mapping[str, Any]) -> str:
    """The keys of a table, each with its value in its line."""
    return "".join(f"{_key(name)} = {value_text(value)}\n" for name, value in table.items() if value is not None)


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(each, Mapping) for each in value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else value_text(name)
