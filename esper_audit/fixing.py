"""Repairing files: round after round of edits that do not overlap, each round parsed and looked at again."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import msgspec

from esper_audit.analyst import Analyst
from esper_audit.config import Project
from esper_audit.finding import Edit, NotAnalysed
from esper_audit.fix import apply_edits
from esper_audit.source import Source, encoding_of, parse, read
from esper_audit.writing import replace_file

MOST_ROUNDS = 10


class Fixed(msgspec.Struct, frozen=True):
    """What repairing did to a file, and how many findings it ended."""

    path: str
    before: str
    after: str
    count: int


class Fixing(msgspec.Struct, frozen=True):
    """How to repair: also what changes behaviour (`unsafe`), and whether to write."""

    unsafe: bool
    write: bool

    def repair(self, project: Project, analyst: Analyst, path: str) -> Fixed | None:
        """Repair one file as far as its fixes go; None where nothing changes or it does not parse."""
        data = read(project.root, path)
        source = data if isinstance(data, NotAnalysed) else parse(path, data)
        if isinstance(source, NotAnalysed):
            return None
        encoding = encoding_of(source.data)
        text, count = self._rounds(analyst, source, encoding)
        if text == source.text:
            return None
        if self.write:
            replace_file(project.resolve(path), text.encode(encoding))
        return Fixed(path, source.text, text, count)

    def _rounds(self, analyst: Analyst, source: Source, encoding: str) -> tuple[str, int]:
        text, seen, count = source.text, {source.text}, 0
        for _ in range(MOST_ROUNDS):
            findings = analyst.examine(source.path, text.encode(encoding)).findings
            edits = [
                f.edit for f in findings if f.edit is not None and (f.edit.safe or self.unsafe)
            ]
            after = apply_edits(text, _with_newlines_of(text, edits))
            if after in seen or isinstance(parse(source.path, after.encode(encoding)), NotAnalysed):
                return text, count
            remaining = len(analyst.examine(source.path, after.encode(encoding)).findings)
            count += max(0, len(findings) - remaining)
            seen.add(after)
            text = after
        return text, count


def diff(fixed: Fixed) -> str:
    """Return the change of a file as a unified diff."""
    lines = difflib.unified_diff(
        fixed.before.splitlines(keepends=True),
        fixed.after.splitlines(keepends=True),
        f"a/{fixed.path}",
        f"b/{fixed.path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _with_newlines_of(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits with line ends as the text has them."""
    if "\r\n" not in text:
        return list(edits)
    return [msgspec.structs.replace(edit, text=edit.text.replace("\n", "\r\n")) for edit in edits]
