"""A client of the language server: pygls' own, which drives the server in a process of its own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.client import LanguageClient

SECONDS = 60


class Editor:
    """An editor with one workspace; `logged` are the messages of the server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.client = LanguageClient("test-editor", "1")
        self.logged: list[str] = []
        self._published: asyncio.Queue[types.PublishDiagnosticsParams] = asyncio.Queue()
        self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(partial(self._on_diagnostics))
        self.client.feature(types.WINDOW_LOG_MESSAGE)(partial(self._on_message))

    async def start(
        self, *arguments: str, snippets: bool = False, options: Any = None
    ) -> types.ServerCapabilities:
        """Start the server; return what it can do."""
        await self.client.start_io(
            sys.executable, "-m", "esper_audit", "server", *arguments, cwd=self.root
        )
        edits = types.WorkspaceEditClientCapabilities(
            document_changes=True, snippet_edit_support=snippets
        )
        workspace = types.WorkspaceClientCapabilities(workspace_edit=edits)
        params = types.InitializeParams(
            capabilities=types.ClientCapabilities(workspace=workspace),
            root_uri=self.root.as_uri(),
            initialization_options=options,
        )
        result = await self.client.initialize_async(params)
        self.client.initialized(types.InitializedParams())
        return result.capabilities

    async def stop(self) -> None:
        """End the server as an editor does."""
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    async def open(self, name: str, text: str) -> list[types.Diagnostic]:
        document = types.TextDocumentItem(self.uri(name), "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        return await self.diagnostics()

    async def type(self, name: str, text: str, version: int) -> list[types.Diagnostic]:
        """Replace the text of a document, and wait for its diagnostics."""
        self.change(name, text, version)
        return await self.diagnostics()

    def change(self, name: str, text: str, version: int) -> None:
        document = types.VersionedTextDocumentIdentifier(version, self.uri(name))
        change = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(document, [change]))

    async def diagnostics(self) -> list[types.Diagnostic]:
        """Return the diagnostics of the next publication."""
        published = await asyncio.wait_for(self._published.get(), SECONDS)
        return [*published.diagnostics]

    async def hover(self, name: str, line: int, character: int) -> str:
        document = types.TextDocumentIdentifier(self.uri(name))
        place = types.Position(line, character)
        hover = await self.client.text_document_hover_async(types.HoverParams(document, place))
        if hover is None:
            return ""
        assert isinstance(hover.contents, types.MarkupContent)
        return hover.contents.value

    async def actions(
        self, name: str, diagnostic: types.Diagnostic, only: list[str] | None = None
    ) -> dict[str, types.CodeAction]:
        """Return the code actions on a diagnostic by their titles."""
        context = types.CodeActionContext([diagnostic], only)
        document = types.TextDocumentIdentifier(self.uri(name))
        params = types.CodeActionParams(document, diagnostic.range, context)
        actions = await self.client.text_document_code_action_async(params)
        return {one.title: one for one in actions or [] if isinstance(one, types.CodeAction)}

    def _on_diagnostics(self, params: types.PublishDiagnosticsParams) -> None:
        self._published.put_nowait(params)

    def _on_message(self, params: types.LogMessageParams) -> None:
        self.logged.append(params.message)


def with_editor(
    root: Path, scenario: Callable[[Editor], Awaitable[None]], *arguments: str, **options: Any
) -> Editor:
    """Run a scenario in an editor with a started server, and stop the server."""
    editor = Editor(root)

    async def run() -> None:
        await editor.start(*arguments, **options)
        try:
            await scenario(editor)
        finally:
            await editor.stop()

    asyncio.run(run())
    return editor


def changed(text: str, action: types.CodeAction) -> str:
    """Return an ASCII text after the edits of a code action."""
    assert action.edit is not None
    assert action.edit.document_changes is not None
    [document] = action.edit.document_changes
    assert isinstance(document, types.TextDocumentEdit)
    for edit in document.edits:
        new = edit.snippet.value if isinstance(edit, types.SnippetTextEdit) else edit.new_text
        lines = [*text.splitlines(keepends=True), ""]
        start, end = edit.range.start, edit.range.end
        before = "".join(lines[: start.line]) + lines[start.line][: start.character]
        after = lines[end.line][end.character :] + "".join(lines[end.line + 1 :])
        text = before + new + after
    return text
