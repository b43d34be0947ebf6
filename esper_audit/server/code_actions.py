"""Code actions of a finding: its fix, and a comment that authorises it once the user has given a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lsprotocol import types

from esper_audit.findings.finding import Finding, NotAnalysed
from esper_audit.server.positions import Positions
from esper_audit.source.syntax.enclosing import chain, first_line
from esper_audit.source.syntax.source import parse

FIX_ALL = f"{types.CodeActionKind.SourceFixAll.value}.esper-audit"
KINDS = [types.CodeActionKind.QuickFix, FIX_ALL]
PLACEHOLDER = "a reason"  # replaced by the user: without a reason the comment authorises nothing


class CodeActions:
    """The code actions of one version of a document.

    `count_findings` returns how many findings of a check another text of the document has.
    `snippets` is whether the client takes snippets in a workspace edit.
    """

    def __init__(
        self,
        document: types.OptionalVersionedTextDocumentIdentifier,
        text: str,
        positions: Positions,
        count_findings: Callable[[str, str], int],
        *,
        snippets: bool,
    ) -> None:
        self._document = document
        self._text = text
        self._positions = positions
        self._count = count_findings
        self._snippets = snippets

    def of_finding(
        self, finding: Finding, diagnostics: list[types.Diagnostic]
    ) -> Iterator[types.CodeAction]:
        """Yield the actions of one finding, for the diagnostics of the client that they settle."""
        fingerprint = finding.fingerprint
        settled = [one for one in diagnostics if one.data == fingerprint] or None
        edit = finding.edit
        if edit is not None:
            place = self._positions.range(edit.line, edit.column, edit.end_line, edit.end_column)
            yield types.CodeAction(
                title=edit.description + ("" if edit.safe else " (changes behaviour)"),
                kind=types.CodeActionKind.QuickFix,
                diagnostics=settled,
                is_preferred=edit.safe or None,
                edit=self._edit(types.TextEdit(place, edit.text)),
            )
        comment = self._authorisation(finding)
        if comment is not None:
            yield types.CodeAction(
                title=f"Allow {finding.check} here, with a reason",
                kind=types.CodeActionKind.QuickFix,
                diagnostics=settled,
                edit=self._edit(comment),
            )

    def fix_all(self, fixed: str) -> types.CodeAction | None:
        """Return the action that replaces the text by its fixed one, None where they are equal."""
        if fixed == self._text:
            return None
        whole = types.TextEdit(self._positions.whole(), fixed)
        return types.CodeAction(
            title="Apply all safe fixes of esper-audit", kind=FIX_ALL, edit=self._edit(whole)
        )

    def _edit(self, change: types.TextEdit | types.SnippetTextEdit) -> types.WorkspaceEdit:
        return types.WorkspaceEdit(
            document_changes=[types.TextDocumentEdit(self._document, [change])]
        )

    def _authorisation(self, finding: Finding) -> types.TextEdit | types.SnippetTextEdit | None:
        """Return the comment line at the first place where it authorises the finding, None without one."""
        before = self._count(finding.check, self._text)
        head = f"# esper-audit: allow {finding.check} -- "
        for line in self._lines_above(finding):
            text = self._positions.lines[line - 1]
            indent = text[: len(text) - len(text.lstrip())]
            end = "\r\n" if text.endswith("\r\n") else "\n"
            lines = [*self._positions.lines]
            lines.insert(line - 1, f"{indent}{head}{PLACEHOLDER}{end}")
            if self._count(finding.check, "".join(lines)) >= before:
                continue
            at = self._positions.range(line, 1, line, 1)
            if not self._snippets:
                return types.TextEdit(at, f"{indent}{head}{end}")
            snippet = types.StringValue(f"{indent}{head}${{0:{PLACEHOLDER}}}{end}")
            return types.SnippetTextEdit(at, snippet)
        return None

    def _lines_above(self, finding: Finding) -> Iterator[int]:
        """Yield the lines that a comment can be put above: of the statement, then of the finding."""
        place = finding.location
        source = parse(place.path, self._text.encode("utf-8", "replace"))
        if isinstance(source, NotAnalysed):
            return
        enclosing = chain(source.tree, place.line, place.column - 1)
        yield from dict.fromkeys([*map(first_line, enclosing[-1:]), place.line])
