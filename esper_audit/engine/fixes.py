"""Applying edits to a text: from the last to the first, never two that overlap, nothing outside them changed."""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Sequence

import msgspec

from esper_audit.engine.file_checker import FileChecker
from esper_audit.findings.errors import WriteError
from esper_audit.findings.finding import Edit, NotAnalysed
from esper_audit.project.atomic_write import replace_file
from esper_audit.project.config import Project
from esper_audit.source.syntax.source import Source, encoding_of, parse, read


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with the edits made; of two that overlap the later one waits for the next round."""
    starts = _line_starts(text)
    for edit in reversed(_not_overlapping(edits)):
        first = starts[edit.line - 1] + edit.column - 1
        last = starts[edit.end_line - 1] + edit.end_column - 1
        text = text[:first] + edit.text + text[last:]
    return text


def _not_overlapping(edits: Iterable[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(set(edits), key=msgspec.structs.astuple):
        if not kept or _start(edit) >= (kept[-1].end_line, kept[-1].end_column):
            kept.append(edit)
    return kept


def _start(edit: Edit) -> tuple[int, int]:
    return (edit.line, edit.column)


def _line_starts(text: str) -> list[int]:
    """Return the offset of each line, lines ending as Python ends them (LF, CRLF or CR)."""
    starts = [0]
    for line in io.StringIO(text, newline=""):
        starts.append(starts[-1] + len(line))
    return starts


MOST_ROUNDS = 10


class FixedFile(msgspec.Struct, frozen=True):
    """What repairing did to a file, and how many findings it ended."""

    path: str
    before: str
    after: str
    count: int


class FixMode(msgspec.Struct, frozen=True):
    """How to repair: also what changes behaviour (`unsafe`), and whether to write."""

    unsafe: bool
    write: bool

    def repair(self, project: Project, analyst: FileChecker, path: str) -> FixedFile | None:
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
            _write(project.resolve(path), text.encode(encoding))
        mark = "\ufeff" if encoding == "utf-8-sig" else ""
        return FixedFile(path, mark + source.text, mark + text, count)

    def _rounds(self, analyst: FileChecker, source: Source, encoding: str) -> tuple[str, int]:
        text, seen, count = source.text, {source.text}, 0
        for _ in range(MOST_ROUNDS):
            findings = analyst.examine(source.path, text.encode(encoding)).findings
            edits = [
                f.edit for f in findings if f.edit is not None and (f.edit.safe or self.unsafe)
            ]
            after = apply_edits(text, _with_newlines_of(text, edits))
            if after in seen or not _is_sound(source.path, after, encoding):
                return text, count
            remaining = len(analyst.examine(source.path, after.encode(encoding)).findings)
            count += max(0, len(findings) - remaining)
            seen.add(after)
            text = after
        return text, count


def diff(fixed: FixedFile) -> str:
    """Return the change of a file as a unified diff."""
    lines = difflib.unified_diff(
        _lines(fixed.before),
        _lines(fixed.after),
        f"a/{fixed.path}",
        f"b/{fixed.path}",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _write(path: str, data: bytes) -> None:
    try:
        replace_file(path, data)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _is_sound(path: str, text: str, encoding: str) -> bool:
    """Return whether a text can be said in the file's encoding and parses."""
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return not isinstance(parse(path, data), NotAnalysed)


def _lines(text: str) -> list[str]:
    """Return lines as `patch` counts them: by line feeds only, not by form feeds and their like."""
    return io.StringIO(text, newline="\n").readlines()


def _with_newlines_of(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits with line ends as the text has them."""
    if "\r\n" not in text:
        return list(edits)
    return [msgspec.structs.replace(edit, text=edit.text.replace("\n", "\r\n")) for edit in edits]
