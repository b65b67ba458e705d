"""The style is itself a test: the shape of the tree, where time and SQL may live, and what the documentation must name."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from service.settings import Settings
from service.telemetry import Telemetry

ROOT = Path(__file__).resolve().parents[1]
SERVICE = ROOT / "service"
MODULES = sorted(SERVICE.rglob("*.py"))
OPERATIONS = ROOT / "docs" / "operations.md"

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
LONG_MODULES: dict[str, str] = {}
"""Modules that may be longer, each with its reason."""
LONG_FUNCTIONS: dict[str, str] = {
    "service/telemetry.py:Telemetry.__init__": "every metric of the process is named once, in one list",
}
"""Functions that may be longer, each with its reason."""

HOME_OF_TIME = "service/clock.py"
TELLS_THE_TIME = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "localtime"),
    ("time", "gmtime"),
}
HOMES_OF_SQL = ("service/store/", "service/catalog/", "service/eventlog/", "service/dashboards/")
"""What reads and writes, and what Grafana reads through views of its own."""
SQL = re.compile(
    r"\s*(--[^\n]*\n\s*)*(select\s.+\sfrom\s|select\s+(true|1|pg_)|insert\s+into\s|update\s+\w+\s.*\bset\s|delete\s+from\s|"
    r"with\s+\w+\s*(\([^)]*\))?\s+as\s*\(|create\s+(table|index|temporary|function|view)\s)",
    re.IGNORECASE | re.DOTALL,
)


@cache
def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


def name_of(module: Path) -> str:
    return module.relative_to(ROOT).as_posix()


def functions(node: ast.AST, path: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function with its dotted name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{path}.{child.name}".lstrip(".")
            if not isinstance(child, ast.ClassDef):
                yield inner, child
            yield from functions(child, inner)
        else:
            yield from functions(child, path)


def test_every_module_says_in_its_first_line_what_it_is_for() -> None:
    for module in MODULES:
        first = module.read_text().split("\n", 1)[0]
        assert re.match(r'"""\S.*[.:]("""|$)', first) or re.match(r'"""\S[^"]*$', first), f"{name_of(module)}: {first!r}"


def test_no_module_is_too_long() -> None:
    for module in MODULES:
        name, lines = name_of(module), len(module.read_text().splitlines())
        assert lines <= MAX_MODULE_LINES or name in LONG_MODULES, (
            f"{name} has {lines} lines, {MAX_MODULE_LINES} at the most: cut it"
        )


def test_no_function_is_too_long() -> None:
    for module in MODULES:
        for name, function in functions(parsed(module)):
            lines = (function.end_lineno or 0) - function.lineno + 1
            where = f"{name_of(module)}:{name}"
            assert lines <= MAX_FUNCTION_LINES or where in LONG_FUNCTIONS, f"{where} has {lines} lines: cut it"


def test_exceptions_that_nobody_needs_are_gone() -> None:
    for where in LONG_FUNCTIONS:
        module, _, wanted = where.partition(":")
        [function] = [found for name, found in functions(parsed(ROOT / module)) if name == wanted]
        assert (function.end_lineno or 0) - function.lineno + 1 > MAX_FUNCTION_LINES, where
    for name in LONG_MODULES:
        assert len((ROOT / name).read_text().splitlines()) > MAX_MODULE_LINES, name


def imports_of(module: Path) -> Iterator[str]:
    """The modules of the service that a module imports when it is imported itself."""
    known = {name_of(each).removesuffix(".py").removesuffix("/__init__").replace("/", ".") for each in MODULES}
    top = [node for node in parsed(module).body if isinstance(node, ast.Import | ast.ImportFrom)]
    for node in top:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif node.module in known:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from inner or {str(node.module)}


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph = {
        name_of(module).removesuffix(".py").removesuffix("/__init__").replace("/", "."): set(imports_of(module))
        for module in MODULES
    }
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a circle: {' -> '.join((*path[path.index(name) :], name))}"
        if name not in done:
            for other in graph.get(name, ()):
                walk(other, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


def test_only_the_clock_tells_the_time() -> None:
    for module in MODULES:
        if name_of(module) == HOME_OF_TIME:
            continue
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.Attribute):
                owner = node.value
                said = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
                assert (said, node.attr) not in TELLS_THE_TIME, f"{name_of(module)}:{node.lineno}: take a Clock"
            if isinstance(node, ast.ImportFrom) and node.module == "time":
                assert not {alias.name for alias in node.names} & {"time", "time_ns"}, f"{name_of(module)}: take a Clock"


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """Texts that are values: no docstrings."""
    documentation = {id(node.value) for node in ast.walk(parsed(module)) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(parsed(module)) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(parsed(module)):
        if id(node) in documentation or id(node) in inside:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


def test_statements_stand_with_the_store_the_catalog_and_the_log() -> None:
    for module in MODULES:
        if name_of(module).startswith(HOMES_OF_SQL):
            continue
        for line, text in texts(module):
            assert not SQL.match(text), f"{name_of(module)}:{line}: {text[:60]!r} belongs to service/store"


@pytest.mark.parametrize(
    ("text", "is_statement"),
    [
        ("select a from b", True),
        ("\n-- why\nselect a\nfrom b", True),
        ("update t set x = 1", True),
        ("with w as (select 1) select * from w", True),
        ("select one of them", False),
        ("update the clock", False),
        ("with a key", False),
        ("create a tenant", False),
    ],
)
def test_statements_are_told_from_sentences(text: str, is_statement: bool) -> None:  # noqa: FBT001
    assert bool(SQL.match(text)) is is_statement


def rows_of(document: Path) -> dict[str, list[str]]:
    """The rows of a document's tables by their first cell's code."""
    found: dict[str, list[str]] = {}
    for line in document.read_text().splitlines():
        if line.startswith("| `"):
            cells = re.split(r"\s*\|\s*", line)[1:-1]
            found[cells[0].strip("`")] = cells
    return found


def test_every_setting_stands_in_the_documentation_with_its_default_and_meaning() -> None:
    rows = rows_of(OPERATIONS)
    for name, field in Settings.model_fields.items():
        setting = f"TIDEGAUGE_{name.upper()}"
        assert setting in rows, f"{setting} is not in {OPERATIONS}"
        default = "" if field.default in {None, "", PydanticUndefined} else str(field.default)
        shown = rows[setting][1].strip("`").replace(",", "")
        assert shown == default, f"{setting}: the default is {default!r}, the documentation says {shown!r}"
        assert rows[setting][2] == field.description, f"{setting}: {field.description!r}"


def test_no_setting_is_documented_that_there_is_not() -> None:
    known = {f"TIDEGAUGE_{name.upper()}" for name in Settings.model_fields} | {"TIDEGAUGE_KEY"}
    documents = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "ARCHITECTURE.md"]
    for document in documents:
        named = set(re.findall(r"TIDEGAUGE_[A-Z0-9_]*[A-Z0-9]", document.read_text()))
        assert named <= known, f"{document.name}: {named - known}"


def test_every_metric_stands_in_the_documentation() -> None:
    rows = rows_of(OPERATIONS)
    for family in Telemetry("test").registry.collect():
        if family.name.startswith("tidegauge"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            name = f"{name}_info" if family.type == "info" else name
            assert name in rows, f"{name} is not in {OPERATIONS}"
