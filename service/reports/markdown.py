"""A report as Markdown: tables as tables, pictures as their figures, blanks as what is to be written."""

from collections.abc import Iterable, Sequence

from service.reports.model import Block, Cell, Figure, Figures, Grid, Picture, Prose, Report
from service.reports.numbers import NO_VALUE, readable

_MARKS = {"green": "🟢 green", "yellow": "🟡 yellow", "orange": "🟠 orange", "red": "🔴 red", "none": ""}


def to_markdown(report: Report) -> str:
    """The whole report."""
    of = f"{report.tenant}, account {report.account}" if report.account else report.tenant
    state = f" Overall: **{_MARKS[report.state]}**." if report.state != "none" else ""
    open_yet = " The window was still open." if report.provisional else ""
    head = (
        f"# {report.title}: {_escaped(of)}\n\n{report.days} ({report.timezone}), made {report.made_at[:19]}Z.{state}{open_yet}\n"
    )
    parts = [head]
    for number, section in enumerate(report.sections, 1):
        parts.append(f"\n## {number}. {section.title}\n")
        parts += [f"\n{_block(block)}" for block in section.blocks]
    return "".join(parts)


def _block(block: Block) -> str:
    match block:
        case Figures():
            return _figures(block)
        case Grid():
            return f"### {block.title}\n\n" + (
                _table(block.columns, map(_texts, block.rows)) if block.rows else f"{block.empty}\n"
            )
        case Picture():
            return _picture(block)
        case Prose():
            return f"{block.text.replace('<', '&lt;')}\n" if block.text else f"*[{block.name}] {block.prompt}*\n"


def _figures(block: Figures) -> str:
    if not block.rows:
        return f"### {block.title}\n\n{block.empty}\n"
    columns = ("", "value", "target", "limit", "status", "before", "change")
    more = f"\n{block.note}\n" if block.note else ""
    return f"### {block.title}\n\n" + _table(columns, map(_figure, block.rows)) + more


def _figure(row: Figure) -> Sequence[str]:
    change = f"{row.change} ({row.trend})" if row.trend else row.change
    title = f"{row.title}, {row.of}" if row.of else row.title
    return (_noted(title, row.note), row.text, row.target, row.limit, _MARKS[row.status], row.before, change)


def _picture(block: Picture) -> str:
    series = dict.fromkeys(point.series for point in block.points)
    if not block.points:
        return f"### {block.title}\n\nNothing to show.\n"
    if series == {"": None}:
        return f"### {block.title}\n\n" + _table(("", "value"), ((p.x, readable(p.y, block.unit)) for p in block.points))
    columns = list(dict.fromkeys(point.x for point in block.points))
    values = {(point.series, point.x): point.y for point in block.points}
    rows = ((name, *(_plain(values.get((name, x))) for x in columns)) for name in series)
    return f"### {block.title}\n\n" + _table(("", *columns), rows)


def _plain(value: float | None) -> str:
    return NO_VALUE if value is None else readable(value, "")


def _texts(row: Sequence[Cell]) -> Sequence[str]:
    return [_noted(_judged(cell), cell.note) for cell in row]


def _judged(cell: Cell) -> str:
    if cell.status in {None, "none", cell.text}:
        return cell.text
    return f"{cell.text} ({cell.status})" if cell.text else str(cell.status)


def _noted(text: str, note: str) -> str:
    """A text and what is said beside it: why there is no value, how one is meant."""
    return f"{text} ({note})" if note else text


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_escaped(text) for text in line) + " |" for line in lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
