"""Dashboards as TypeScript, so that its compiler holds every field against the types that Grafana publishes.

The SDK takes any object for a panel's options and for what an override sets; `@grafana/schema` (npm) has their types. `python -m
service.dashboards.typescript DIRECTORY` writes a file that compiles if they fit; `make dashboards-types` compiles it.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from service.catalog import Catalog
from service.dashboards.all import files

_RAW = "@grafana/schema/dist/esm/raw"
_TYPES: Mapping[str, str] = {
    "stat": "Stat",
    "timeseries": "TimeSeries",
    "table": "Table",
    "bargauge": "BarGauge",
    "xychart": "XYChart",
}
"""Kinds of panels, with what the modules of their types are called."""
_WITH_FIELDS = frozenset({"timeseries", "table", "xychart"})
"""Kinds whose fields have settings of their own (`custom`)."""
_HEAD = f"""import type {{
  Dashboard, FieldConfig, Panel, RowPanel, VariableModel,
}} from '{_RAW}/dashboard/x/dashboard_types.gen';
// Enums as the words that they stand for, which is how JSON has them.
type Words<T> =
  T extends string ? `${{T}}`
  : T extends (infer U)[] ? Words<U>[]
  : T extends object ? {{ [K in keyof T]: Words<T[K]> }}
  : T;
type Some<T> = Words<Partial<T>>;
"""


def source(dashboards: Iterable[Mapping[str, Any]]) -> str:
    """TypeScript that compiles if every field of the dashboards is one that Grafana knows, and of its type."""
    parts = [_HEAD]
    parts += [f"import type * as {name} from '{_module(kind, name)}';\n" for kind, name in _TYPES.items()]
    seen: set[tuple[str, str]] = set()
    for dashboard in dashboards:
        for type_name, value in _checked(dashboard):
            text = json.dumps(value, ensure_ascii=False, sort_keys=True)
            if (type_name, text) not in seen:
                seen.add((type_name, text))
                parts.append(f"const _{len(seen)}: {type_name} = {text};\n")
    return "".join(parts) + "export {};\n"


def _checked(dashboard: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Types with a value of each."""
    outside = {"panels", "templating", "annotations"}
    yield "Some<Omit<Dashboard, 'panels'>>", {name: value for name, value in dashboard.items() if name not in outside}
    for variable in dashboard["templating"]["list"]:
        # The query of a data source is its own affair.
        yield "Some<VariableModel>", {name: value for name, value in variable.items() if name != "query"}
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield "Some<Omit<RowPanel, 'panels'>>", {name: value for name, value in panel.items() if name != "panels"}
            for inner in panel["panels"]:
                yield from _of_panel(inner)
        else:
            yield from _of_panel(panel)


def _of_panel(panel: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    name = _TYPES[panel["type"]]
    apart = {"targets", "options", "fieldConfig"}
    yield "Some<Omit<Panel, 'options' | 'fieldConfig'>>", {key: value for key, value in panel.items() if key not in apart}
    yield f"Some<{name}.Options>", panel.get("options", {})
    config = panel["fieldConfig"]
    own = f"Some<{name}.FieldConfig>" if panel["type"] in _WITH_FIELDS else "Record<string, never>"
    yield "Some<Omit<FieldConfig, 'custom'>>", {key: value for key, value in config["defaults"].items() if key != "custom"}
    yield own, config["defaults"].get("custom", {})
    for override in config["overrides"]:
        for each in override["properties"]:
            setting, _, inner = each["id"].partition(".")
            if setting == "custom":
                yield own, {inner: each["value"]}
            else:
                yield "Some<Omit<FieldConfig, 'custom'>>", {setting: each["value"]}


def _module(kind: str, name: str) -> str:
    return f"{_RAW}/composable/{kind}/panelcfg/x/{name}PanelCfg_types.gen"


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    made = [json.loads(text) for text in files(Catalog.load()).values()]
    (directory / "dashboards.ts").write_text(source(made), encoding="utf-8")
