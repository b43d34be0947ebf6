"""The pages of documentation: their text, table rows, links and code names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from support.source_files import ROOT

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
REFERENCE = re.compile(r"(?P<module>\w+(?:/\w+)+)\.(?P<name>[A-Za-z_]\w*(?:\.\w+)*)")
FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def page(path: str) -> str:
    """Return the text of a page, named from the root of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def pages() -> dict[str, str]:
    """Return all pages that people write, by path."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert len(paths) > 20, f"{len(paths)} pages; is the documentation elsewhere?"
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def rows(text: str, columns: int) -> Iterator[tuple[str, ...]]:
    """Yield the rows of all tables with so many columns, without heads and delimiters."""
    lines = FENCE.sub("", text).splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split(" | "))
        is_head = set(line) <= set("|- ") or not before.startswith("|")
        if line.startswith("|") and len(cells) == columns and not is_head:
            yield cells


def code_spans(text: str) -> list[str]:
    """Return what a page sets in backticks outside of fences."""
    return CODE.findall(FENCE.sub("", text))


def dead_links(path: str, text: str) -> Iterator[str]:
    """Yield the links of a page to files that do not exist."""
    folder = (ROOT / path).parent
    for target in LINK.findall(FENCE.sub("", text)):
        if not (folder / target).exists():
            yield f"{path}: {target}"


def missing_code(text: str, root: Path) -> Iterator[str]:
    """Yield the folders, files and `folder/file.Name` of a page that do not exist below a root."""
    for span in code_spans(text):
        if "<" in span or "/" not in span or " " in span or (root / span).exists():
            continue
        reference = REFERENCE.fullmatch(span)
        file = root / f"{reference['module']}.py" if reference else root
        if not (reference and defines(file, reference["name"])):
            yield span


def defines(file: Path, name: str) -> bool:
    """Return whether a file defines a function, a class, a constant or, as `Class.method`, a method."""
    if not file.is_file():
        return False
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for part in name.split("."):
        found = [node for node in body if part in _names(node)]
        if not found:
            return False
        body = found[0].body if isinstance(found[0], ast.ClassDef) else []
    return True


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []
