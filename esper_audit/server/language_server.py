"""The language server: the requests of an editor, over standard input and output."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from functools import partial

import msgspec
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import PositionCodec

from esper_audit.findings.finding import Finding
from esper_audit.project.distribution import NAME, version
from esper_audit.server.code_actions import FIX_ALL, KINDS, CodeActions
from esper_audit.server.diagnostics import diagnostics, findings_at
from esper_audit.server.document_check import DocumentChecker, DocumentResult
from esper_audit.server.explanation import explain
from esper_audit.server.positions import Positions

PAUSE = 0.15  # seconds without a key before a document is checked
STANDARD_OUTPUT, STANDARD_ERROR = 1, 2
TRUSTED = "trustedWorkspace"


class OpenDocument(msgspec.Struct, frozen=True):
    """One version of a document of the editor with its result."""

    uri: str
    path: str
    version: int | None
    text: str
    positions: Positions
    result: DocumentResult | str

    def findings(self, selected: types.Range) -> list[Finding]:
        """Return the findings in a range of the client, none where the check could not run."""
        if isinstance(self.result, str):
            return []
        return findings_at(self.result.audit, self.positions, selected)


class EditorSession:
    """The documents of one editor: checked when they are opened, changed and saved."""

    def __init__(self, server: LanguageServer, checker: DocumentChecker) -> None:
        self._server = server
        self._checker = checker
        self._pending: dict[str, asyncio.TimerHandle] = {}
        self._checked: dict[str, OpenDocument] = {}
        self._withheld: set[str] = set()

    def initialize(self, params: types.InitializeParams) -> None:
        """Read whether the client trusts the workspace."""
        options = params.initialization_options
        if isinstance(options, dict) and options.get(TRUSTED) is True:
            self._checker.trusted = True

    def open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Check a document that was opened."""
        self._publish(params.text_document.uri)

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Check a document after the last of several quick changes."""
        uri = params.text_document.uri
        self._cancel(uri)
        loop = asyncio.get_running_loop()
        self._pending[uri] = loop.call_later(PAUSE, self._publish, uri)

    def save(self, params: types.DidSaveTextDocumentParams) -> None:
        """Check every open document: another one may depend on the file that was saved."""
        for uri in [*self._server.workspace.text_documents]:
            self._publish(uri)

    def close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Take back the diagnostics of a document."""
        uri = params.text_document.uri
        self._cancel(uri)
        self._checked.pop(uri, None)
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    def hover(self, params: types.HoverParams) -> types.Hover | None:
        """Explain the findings at a position."""
        document = self._current(params.text_document.uri)
        if document is None or isinstance(document.result, str):
            return None
        found = document.findings(types.Range(params.position, params.position))
        texts = [explain(finding, document.result.catalogue) for finding in found]
        if not texts:
            return None
        markdown = types.MarkupContent(types.MarkupKind.Markdown, "\n\n---\n\n".join(texts))
        return types.Hover(markdown)

    def code_actions(self, params: types.CodeActionParams) -> list[types.CodeAction]:
        """Return the fixes and authorisations of the findings in a range, and the action for the whole file."""
        document = self._current(params.text_document.uri)
        if document is None or isinstance(document.result, str):
            return []
        actions = CodeActions(
            types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version),
            document.text,
            document.positions,
            lambda check, text: self._count_findings(document.path, check, text),
            snippets=self._has_snippets(),
        )
        wanted = params.context.only or KINDS
        found: list[types.CodeAction] = []
        if types.CodeActionKind.QuickFix in wanted:
            for finding in document.findings(params.range):
                found += actions.of_finding(finding, [*params.context.diagnostics])
        if any(kind == FIX_ALL or FIX_ALL.startswith(f"{kind!s}.") for kind in map(_name, wanted)):
            whole = actions.fix_all(self._checker.fixed_text(document.path, document.text))
            found += [whole] if whole else []
        return found

    def _count_findings(self, path: str, check: str, text: str) -> int:
        result = self._checker.check(path, text)
        if isinstance(result, str):
            return 0
        return sum(one.check == check for one in result.audit.findings)

    def _has_snippets(self) -> bool:
        """Return whether the client takes snippets in a workspace edit."""
        workspace = self._server.client_capabilities.workspace
        edits = workspace.workspace_edit if workspace else None
        return bool(edits and edits.snippet_edit_support)

    def _publish(self, uri: str) -> None:
        document = self._check(uri)
        if document is None:
            return
        self._server.text_document_publish_diagnostics(
            types.PublishDiagnosticsParams(
                uri, diagnostics(document.result, document.positions), version=document.version
            )
        )

    def _current(self, uri: str) -> OpenDocument | None:
        """Return the result for the text as it is now."""
        known = self._checked.get(uri)
        if known and known.version == self._server.workspace.get_text_document(uri).version:
            return known
        return self._check(uri)

    def _check(self, uri: str) -> OpenDocument | None:
        """Check a document, None for one that is no file."""
        self._cancel(uri)
        path = to_fs_path(uri) if uri.startswith("file:") else None
        if path is None:
            return None
        held = self._server.workspace.get_text_document(uri)
        text = held.source
        result = self._checker.check(path, text)
        codec: PositionCodec = self._server.workspace.position_codec
        document = OpenDocument(uri, path, held.version, text, Positions(text, codec), result)
        self._checked[uri] = document
        if isinstance(result, DocumentResult):
            self._name_withheld(result)
        return document

    def _name_withheld(self, result: DocumentResult) -> None:
        """Log once which local rules do not run."""
        new = [file for file in result.withheld if file not in self._withheld]
        self._withheld.update(new)
        for file in new:
            message = (
                f"{file}: not run, because this workspace is not trusted. Start the server with "
                f"--trust-workspace, or send the initialization option {TRUSTED}."
            )
            self._server.window_log_message(
                types.LogMessageParams(types.MessageType.Warning, message)
            )

    def _cancel(self, uri: str) -> None:
        pending = self._pending.pop(uri, None)
        if pending is not None:
            pending.cancel()


def serve(today: Callable[[], str], *, trusted: bool) -> None:
    """Serve one editor over standard input and output until it sends `exit`.

    What a rule prints goes to standard error.
    """
    gc.enable()  # the command line turns it off, and this process lives long
    output = os.fdopen(os.dup(STANDARD_OUTPUT), "wb")
    os.dup2(STANDARD_ERROR, STANDARD_OUTPUT)
    make_server(DocumentChecker(today, trusted=trusted)).start_io(sys.stdin.buffer, output)


def make_server(checker: DocumentChecker) -> LanguageServer:
    """Return a server with the features of a session."""
    # Each change brings the whole text: pygls counts a form feed as the end of a line, Python does not.
    server = LanguageServer(
        NAME, version(), text_document_sync_kind=types.TextDocumentSyncKind.Full
    )
    session = EditorSession(server, checker)
    features: dict[str, Callable[..., object]] = {
        types.INITIALIZE: session.initialize,
        types.TEXT_DOCUMENT_DID_OPEN: session.open,
        types.TEXT_DOCUMENT_DID_CHANGE: session.change,
        types.TEXT_DOCUMENT_DID_SAVE: session.save,
        types.TEXT_DOCUMENT_DID_CLOSE: session.close,
        types.TEXT_DOCUMENT_HOVER: session.hover,
    }
    for name, feature in features.items():
        # pygls marks what it is given, and a method takes no mark.
        server.feature(name)(partial(feature))
    options = types.CodeActionOptions(code_action_kinds=KINDS)
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, options)(partial(session.code_actions))
    return server


def _name(kind: types.CodeActionKind | str) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else kind
