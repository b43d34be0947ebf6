"""The language server, driven by pygls' client: findings while typing, hover, fixes, authorisations, trust."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, command, run, write
from support.local_rules import with_rule

if importlib.util.find_spec("pygls") is None:
    pytest.skip("pygls is not installed (extra `server`)", allow_module_level=True)

from lsprotocol import types
from support.editor import Editor, changed, with_editor

# Slow: each test starts a server.
pytestmark = pytest.mark.slow

BODY = """\
print("a rule prints", file.code(node))
yield Violation(node, "old is old", Replacement(node.func, "new", True, "call new"))
"""
WARNING = types.DiagnosticSeverity.Warning
MISSPELT = "import torch\n\ndef mean(x):\n    return torch.mean(x, dim=0, keep_dim=True)\n"


def test_the_unsaved_text_is_checked_while_it_is_typed(tmp_path: Path) -> None:
    async def scenario(editor: Editor) -> None:
        [found] = await editor.open("not_saved.py", GOOD)
        assert (found.code, found.source) == (HASATTR, "esper-audit")
        place = found.range
        assert (place.start.line, place.start.character, place.end.character) == (1, 7, 32)
        assert found.code_description is not None
        assert found.code_description.href.endswith(f"/checks/{HASATTR}/")
        assert await editor.type("not_saved.py", CLEAN, 2) == []
        [broken] = await editor.type("not_saved.py", "def cut(:\n", 3)
        assert broken.message.startswith("not looked at: does not parse")
        assert broken.severity == WARNING
        for version in range(4, 9):  # quick changes are checked once, the last of them
            editor.change("not_saved.py", f"{'#' * version}\n{GOOD}", version)
        [found] = await editor.diagnostics()
        assert found.range.start.line == 2
        editor.client.text_document_did_close(
            types.DidCloseTextDocumentParams(
                types.TextDocumentIdentifier(editor.uri("not_saved.py"))
            )
        )
        assert await editor.diagnostics() == []

    with_editor(write(tmp_path, {}), scenario)
    assert not (tmp_path / "not_saved.py").exists()


def test_a_place_counts_in_the_units_of_the_client(tmp_path: Path) -> None:
    async def scenario(editor: Editor) -> None:
        text = 'def cut(host):\n    return "\U0001f600", hasattr(host, "x")\n'
        [found] = await editor.open("wide.py", text)
        assert (found.range.start.character, found.range.end.character) == (17, 35)
        assert HASATTR in await editor.hover("wide.py", 1, 18)
        assert await editor.hover("wide.py", 1, 12) == ""

    with_editor(write(tmp_path, {}), scenario)


def test_a_finding_is_explained_and_can_be_allowed_with_a_reason(tmp_path: Path) -> None:
    async def scenario(editor: Editor) -> None:
        [found] = await editor.open("a.py", GOOD)
        text = await editor.hover("a.py", 1, 10)
        assert found.message in text
        assert "**Contract:**" in text
        assert "**Why:**" in text
        actions = await editor.actions("a.py", found)
        allow = actions[f"Allow {HASATTR} here, with a reason"]
        after = changed(GOOD, allow)
        assert after.splitlines()[1] == f"    # esper-audit: allow {HASATTR} -- "
        still = await editor.type("a.py", after, 2)
        assert {one.code for one in still} == {HASATTR, "invalid-suppression"}
        assert await editor.type("a.py", after.replace("-- ", "-- a plugin"), 3) == []

    with_editor(write(tmp_path, {}), scenario)


def test_a_client_with_snippets_asks_for_the_reason(tmp_path: Path) -> None:
    text = f"{GOOD}\n\ndef two(host):\n    x = (\n        1,\n        hasattr(host, 'a'),\n    )\n"

    async def scenario(editor: Editor) -> None:
        _, found = await editor.open("a.py", text)
        actions = await editor.actions("a.py", found)
        after = changed(text, actions[f"Allow {HASATTR} here, with a reason"])
        assert f"    # esper-audit: allow {HASATTR} -- ${{0:a reason}}\n    x = (\n" in after
        assert len(await editor.type("a.py", after, 2)) == 1

    with_editor(write(tmp_path, {}), scenario, snippets=True)


def test_a_fix_is_a_code_action_and_all_of_them_are_one(tmp_path: Path) -> None:
    root = with_rule(tmp_path, "old-call", BODY)
    text = "x = old(1)\ny = old(2)\n"

    async def scenario(editor: Editor) -> None:
        first, _ = await editor.open("a.py", text)
        actions = await editor.actions("a.py", first)
        assert changed(text, actions["call new"]) == "x = new(1)\ny = old(2)\n"
        assert actions["call new"].is_preferred
        whole = changed(text, actions["Apply all safe fixes of esper-audit"])
        assert whole == "x = new(1)\ny = new(2)\n"
        quick = await editor.actions("a.py", first, [types.CodeActionKind.QuickFix.value])
        assert "Apply all safe fixes of esper-audit" not in quick
        wanted = [types.CodeActionKind.SourceFixAll.value]
        assert [*await editor.actions("a.py", first, wanted)] == [
            "Apply all safe fixes of esper-audit"
        ]

    with_editor(root, scenario, "--trust-workspace", "--stdio")


def test_local_rules_run_only_in_a_trusted_workspace(tmp_path: Path) -> None:
    root = with_rule(tmp_path, "old-call", f"open('ran', 'w')\n{BODY}")
    configuration = root / "pyproject.toml"
    configuration.write_text(f"{configuration.read_text()}select = ['old-call', '{HASATTR}']\n")
    text = f"old(1)  # esper-audit: allow old-call -- a test\n{GOOD}"

    async def untrusted(editor: Editor) -> None:
        [found] = await editor.open("a.py", text)
        assert found.code == HASATTR

    editor = with_editor(root, untrusted)
    assert not (tmp_path / "ran").exists()
    assert len(editor.logged) == 1
    assert "not run, because this workspace is not trusted" in editor.logged[0]

    async def trusted(editor: Editor) -> None:
        found = await editor.open(
            "a.py", text.replace("  # esper-audit: allow old-call -- a test", "")
        )
        assert sorted(str(one.code) for one in found) == ["old-call", HASATTR]

    with_editor(root, trusted, options={"trustedWorkspace": True})
    assert (tmp_path / "ran").exists()


def test_a_finding_with_a_ticket_is_a_hint_and_an_excluded_file_is_quiet(tmp_path: Path) -> None:
    root = write(
        tmp_path, {"a.py": GOOD, "esper-audit.toml": 'profile = "strict"\nexclude = ["gen"]\n'}
    )
    run(root, "run")

    async def scenario(editor: Editor) -> None:
        [found] = await editor.open("a.py", GOOD)
        assert found.severity == types.DiagnosticSeverity.Hint
        assert "ticket" in found.message
        assert await editor.open("gen/b.py", GOOD) == []
        (root / "esper-audit.toml").write_text("slect = []\n")
        [problem] = await editor.type("a.py", CLEAN, 2)
        assert "unknown key 'slect'" in problem.message

    with_editor(root, scenario)


def test_the_server_and_a_cold_check_find_the_same(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.py": GOOD, "b.py": MISSPELT})
    listed = json.loads(run(root, "check", "--format", "json").out)["findings"]
    cold = {(one["location"]["path"], one["check"]) for one in listed}

    async def scenario(editor: Editor) -> None:
        found = set()
        for _ in range(2):
            for name in ("a.py", "b.py"):
                text = (root / name).read_text()
                found |= {(name, str(one.code)) for one in await editor.open(name, text)}
        assert found == cold
        assert len(found) == 2

    with_editor(root, scenario)


def test_without_pygls_one_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    ran = command("server")
    assert ran.status == 2
    assert "pip install 'esper-audit[server]'" in ran.err
