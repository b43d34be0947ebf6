"""Apply the edits of findings to a file: no two that overlap, nothing outside them changed."""

from __future__ import annotations

import difflib
import io
import os
from collections.abc import Callable, Iterable, Sequence

import msgspec

from esper_audit.engine.file_checker import FileChecker
from esper_audit.findings.finding import Edit, Finding, NotAnalysed
from esper_audit.project.atomic_write import replace_file, reported_as_write_error
from esper_audit.source.syntax.source import Source, encoding_of, parse, read

MAX_ROUNDS = 10


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return `text` with the edits applied, without edits that overlap an earlier one."""
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
    """Return the offset of each line, where a line ends in LF, CRLF or CR."""
    starts = [0]
    for line in io.StringIO(text, newline=""):
        starts.append(starts[-1] + len(line))
    return starts


class FixedFile(msgspec.Struct, frozen=True):
    """A file before and after its fixes, and how many findings they removed.

    `data` is the text after them in the encoding of the file.
    """

    path: str
    before: str
    after: str
    count: int
    data: bytes


def fixes_all(finding: Finding, text: str) -> bool:
    """Return whether to apply the fix of a finding in a text: always."""
    return True


class FixMode(msgspec.Struct, frozen=True):
    """How to fix files: `unsafe` also applies fixes that change behaviour, `write` changes the files.

    `is_wanted` decides on each fix, given its finding and the text of the file before it.
    """

    unsafe: bool
    write: bool
    is_wanted: Callable[[Finding, str], bool] = fixes_all

    def fix_file(self, root: str, checker: FileChecker, path: str) -> FixedFile | None:
        """Fix the file at `path` below `root`, or return None if it does not change or does not parse."""
        data = read(root, path)
        if isinstance(data, NotAnalysed):
            return None
        fixed = self.fix_data(checker, path, data)
        if fixed is not None and self.write:
            file = os.path.join(root, path)
            with reported_as_write_error(file):
                replace_file(file, fixed.data, expected=data)
        return fixed

    def fix_data(self, checker: FileChecker, path: str, data: bytes) -> FixedFile | None:
        """Fix `data`, the content of a file, or return None if it does not change or does not parse."""
        source = parse(path, data)
        if isinstance(source, NotAnalysed):
            return None
        encoding = encoding_of(source.data)
        text, count = self._rounds(checker, source, encoding)
        if text == source.text:
            return None
        byte_order_mark = "\ufeff" if encoding == "utf-8-sig" else ""
        before, after = byte_order_mark + source.text, byte_order_mark + text
        return FixedFile(path, before, after, count, text.encode(encoding))

    def _rounds(self, checker: FileChecker, source: Source, encoding: str) -> tuple[str, int]:
        text, earlier_texts, count = source.text, {source.text}, 0
        for _ in range(MAX_ROUNDS):
            findings = checker.check_file(source.path, data=text.encode(encoding)).findings
            edits = [
                f.edit
                for f in findings
                if f.edit is not None and (f.edit.safe or self.unsafe) and self.is_wanted(f, text)
            ]
            after = apply_edits(text, _with_newlines_of(text, edits))
            if after in earlier_texts or not _is_sound(source.path, after, encoding):
                return text, count
            remaining = len(checker.check_file(source.path, data=after.encode(encoding)).findings)
            count += max(0, len(findings) - remaining)
            earlier_texts.add(after)
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


def _is_sound(path: str, text: str, encoding: str) -> bool:
    """Return whether a text can be encoded in the encoding of its file and parses."""
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return not isinstance(parse(path, data), NotAnalysed)


def _lines(text: str) -> list[str]:
    """Return lines as `patch` counts them: they end in line feeds only."""
    return io.StringIO(text, newline="\n").readlines()


def _with_newlines_of(text: str, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits with the line ends of the text."""
    if "\r\n" not in text:
        return list(edits)
    return [msgspec.structs.replace(edit, text=edit.text.replace("\n", "\r\n")) for edit in edits]
