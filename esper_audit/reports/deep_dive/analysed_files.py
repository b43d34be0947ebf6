"""The files that an audit looked at: their lines, and their purpose in their own words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from esper_audit.findings.audit import Audit

MOST_ROWS = 40
# The first statement, if it is a string: the docstring of a module.
DOCSTRING = re.compile(r'\ufeff?(?:\s|#[^\n]*\n)*[rRuU]?("""|\'\'\'|"|\')(.*?)\1', re.DOTALL)


class AnalysedFiles(msgspec.Struct, frozen=True):
    """A file, or a folder with everything below it: how many files and lines, findings, and its purpose."""

    path: str
    files: int
    lines: int
    findings: int
    purpose: str


class SourceText(msgspec.Struct, frozen=True):
    """How long a file is, and the first line of its docstring."""

    lines: int
    purpose: str


def analysed_files(audit: Audit) -> list[AnalysedFiles]:
    """Return a row for each file, or for each folder where there are too many files."""
    texts = {path: read_source(os.path.join(audit.root, path)) for path in sorted(audit.checked)}
    findings = Counter(finding.location.path for finding in audit.findings)
    groups = _folders(list(texts))
    return [
        AnalysedFiles(
            path=name,
            files=len(paths),
            lines=sum(texts[path].lines for path in paths),
            findings=sum(findings[path] for path in paths),
            purpose=texts[name].purpose if name in texts else _purpose_of_folder(name, texts),
        )
        for name, paths in sorted(groups.items())
    ]


def read_source(file: str) -> SourceText:
    """Return the lines and the purpose of a file, neither where it cannot be read."""
    try:
        with open(file, "rb") as stream:
            content = stream.read()
    except OSError:
        return SourceText(0, "")
    match = DOCSTRING.match(content.decode("utf-8", errors="replace"))
    paragraph = match[2].strip().partition("\n\n")[0] if match else ""
    return SourceText(len(content.splitlines()), " ".join(paragraph.split()))


def about(lines: int) -> int:
    """Return a number of lines with two significant digits, so that a small edit leaves the page alone."""
    step = int("1".ljust(len(str(lines)) - 1, "0"))
    return round(lines / step) * step


def _folders(paths: list[str]) -> dict[str, list[str]]:
    """Return the files of each row: every file, or folders opened from the largest on while rows stay few."""
    if len(paths) <= MOST_ROWS:
        return {path: [path] for path in paths}
    rows = _opened("", paths)
    while True:
        nested = [name for name, inside in rows.items() if _has_folders(name, inside)]
        if not nested:
            return rows
        largest = max(nested, key=lambda name: (len(rows[name]), name))
        opened = _opened(largest, rows[largest])
        if len(rows) - 1 + len(opened) > MOST_ROWS:
            return rows
        del rows[largest]
        rows |= opened


def _has_folders(folder: str, paths: Iterable[str]) -> bool:
    """Return whether a row is a folder that holds further folders."""
    return folder.endswith("/") and any("/" in path.removeprefix(folder) for path in paths)


def _opened(folder: str, paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the files and the folders directly in a folder, each with the paths in it."""
    inside: dict[str, list[str]] = {}
    for path in paths:
        name, slash, _ = path.removeprefix(folder).partition("/")
        inside.setdefault(f"{folder}{name}{slash}", []).append(path)
    return inside


def _purpose_of_folder(folder: str, texts: dict[str, SourceText]) -> str:
    init = texts.get(f"{folder}__init__.py")
    return init.purpose if init else ""
