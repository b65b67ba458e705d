"""Where each key of a TOML text stands: tomllib gives values without lines, tree-sitter the lines."""

import tomllib

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Path = tuple[str | int, ...]


class Lines:
    """Lines of keys, tables and elements of a TOML text that tomllib has read."""

    def __init__(self, text: str) -> None:
        self._line_of: dict[Path, int] = {}
        self._elements: dict[Path, int] = {}
        """Elements that each list of tables has so far."""
        for node in Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node.named_children:
            self._statement(node)

    def of(self, path: Path) -> int:
        """The line, from 1, of the innermost part of the path that the text has."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._line_of:
                return self._line_of[path[:length]]
        return 1

    def _statement(self, node: Node) -> None:
        match node.type:
            case "pair":
                self._pair((), node)
            case "table" | "table_array_element":
                header, *pairs = (child for child in node.named_children if child.type != "comment")
                path = self._header(tuple(_keys(header)), is_element=node.type == "table_array_element")
                self._note(path, node)
                for pair in pairs:
                    self._pair(path, pair)

    def _header(self, keys: tuple[str, ...], *, is_element: bool) -> Path:
        """The path that a header's keys mean: within a list of tables, its newest element."""
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            if path in self._elements:
                path = (*path, self._elements[path] - 1)
        path = (*path, keys[-1])
        if is_element:
            self._elements[path] = self._elements.get(path, 0) + 1
        return (*path, self._elements[path] - 1) if path in self._elements else path

    def _pair(self, table: Path, node: Node) -> None:
        if node.type != "pair":
            return
        key, *values = (child for child in node.named_children if child.type != "comment")
        path: Path = table
        for part in _keys(key):
            path = (*path, part)
            self._note(path, key)
        for value in values:
            self._value(path, value)

    def _value(self, path: Path, node: Node) -> None:
        match node.type:
            case "inline_table":
                for pair in node.named_children:
                    self._pair(path, pair)
            case "array":
                elements = (child for child in node.named_children if child.type != "comment")
                for index, element in enumerate(elements):
                    self._note((*path, index), element)
                    self._value((*path, index), element)

    def _note(self, path: Path, node: Node) -> None:
        """Keep the first line of a path, and of the tables that it lies in."""
        for length in range(1, len(path) + 1):
            self._line_of.setdefault(path[:length], node.start_point.row + 1)


def _keys(node: Node) -> list[str]:
    """The names of a key, dotted or not; a stack and no recursion, for dots nest as deep as the text is long."""
    found: list[str] = []
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part.type == "dotted_key":
            waiting += reversed(part.named_children)
            continue
        written = (part.text or b"").decode()
        found.append(next(iter(tomllib.loads(f"{written} = 0"))) if part.type == "quoted_key" else written)
    return found
