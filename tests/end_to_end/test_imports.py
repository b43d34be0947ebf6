"""What `check` and `ticket list` import: little, and less where there is less to do; the network is never used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, run, write

# Slow: each test starts `esper-audit` in processes of its own.
pytestmark = pytest.mark.slow

PROBE = """
import json, os, socket, sys
def refused(*_, **__): raise AssertionError("the network was asked")
socket.socket = socket.create_connection = socket.getaddrinfo = refused
before = set(sys.modules)
sys.argv = ["esper-audit", *sys.argv[1:]]
from esper_audit.cli import main
try:
    main()
except SystemExit as end:
    status = end.code
sys.stdout.flush()
tops = sorted({name.partition(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names)
json.dump([status, tops, sorted(m for m in sys.modules if m.startswith("esper_audit"))], sys.stderr)
"""
MOST_TO_LIST_TICKETS = 50
NEVER = {"torch", "numpy", "jinja2", "rich", "markdown_it", "esper_ref", "ruamel", "pytest"}
REPLAYED = ["esper_audit"]
WITHOUT_CANDIDATES = [
    "_msgspec",
    "esper_audit",
    "msgspec",
    "typing_extensions",
]


def loaded(root: Path, *arguments: str) -> tuple[int, set[str], set[str]]:
    """Run a check; return its status, the foreign packages that it imported, and our own modules."""
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", PROBE, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    status, foreign, own = json.loads(done.stderr.splitlines()[-1])
    return status, set(foreign), set(own)


def test_a_tree_without_candidates_imports_no_parser_and_no_renderer(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN})
    loaded(tmp_path, "check", "--no-cache")  # makes the table of the rules
    status, foreign, _ = loaded(tmp_path, "check")
    assert status == 0
    assert foreign <= set(WITHOUT_CANDIDATES)


def test_a_file_without_configuration_imports_nothing_that_compiles_expressions(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.py").write_text(CLEAN)
    loaded(tmp_path, "check", "a.py")  # makes the table of the rules
    command = [sys.executable, "-X", "importtime", "-m", "esper_audit", "check", "a.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines()}
    assert "msgspec" in imported
    assert {"click", "tomllib", "dataclasses"} & imported == set()


def shipped_rules(own: set[str]) -> set[str]:
    return {m for m in own if m.startswith("esper_audit.rules.file.") and m.count(".") > 3}


def test_a_check_imports_only_the_rules_whose_words_are_in_its_files(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "WIDTH: int\n", "b/b.py": GOOD})
    loaded(tmp_path, "check", "a.py", "--no-cache")  # makes the table of the rules
    _, _, own = loaded(tmp_path, "check", "a.py", "--no-cache")
    assert shipped_rules(own) == set()
    assert not {m for m in own if m.startswith("esper_audit.source.idioms.")}
    status, foreign, own = loaded(tmp_path, "check", "b", "--no-cache")
    assert status == 1
    assert "esper_audit.rules.file.interfaces.unauthorised_hasattr" in shipped_rules(own)
    assert len(shipped_rules(own)) < 12
    assert "yaml" not in foreign


def test_a_tree_with_findings_imports_what_it_takes_to_tell_them(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    loaded(tmp_path, "check", "--no-cache")  # makes the table of the rules
    status, foreign, own = loaded(tmp_path, "check")
    assert status == 1
    assert not {"libcst", "yaml"} & foreign
    assert foreign & NEVER == set()
    assert not {"esper_audit.reports.pages", "esper_audit.tickets.ticket"} & own


def test_an_unchanged_tree_imports_nothing_at_all(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    loaded(tmp_path, "check")
    status, foreign, own = loaded(tmp_path, "check")
    assert status == 1
    assert foreign == set(REPLAYED)
    assert own == {
        "esper_audit",
        "esper_audit.cli",
        "esper_audit.cli.local_date",
        "esper_audit.cli.replay",
        "esper_audit.project",
        "esper_audit.project.engine_fingerprint",
        "esper_audit.project.submodules",
    }


def test_an_unchanged_tree_loads_no_openssl(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    command = [sys.executable, "-X", "importtime", "-m", "esper_audit", "check"]
    first, second = (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr
        for _ in range(2)
    )
    assert "_hashlib" in first
    assert "esper_audit.cli.replay" in second
    assert "_hashlib" not in second


@pytest.mark.parametrize("style", ["text", "json", "sarif", "github"])
def test_no_format_imports_what_another_needs(tmp_path: Path, style: str) -> None:
    write(tmp_path, {"a.py": GOOD})
    status, foreign, own = loaded(tmp_path, "check", "--format", style)
    assert status == 1
    assert foreign & NEVER == set()
    formats = {m.rpartition(".")[2] for m in own if m.startswith("esper_audit.reports.formats.")}
    assert formats <= {style, "text"}


@pytest.mark.parametrize("arguments", [("--help",), ("record", "--help"), ("ticket", "--help")])
def test_the_list_of_commands_needs_no_torch(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(tmp_path / "site", {"sitecustomize.py": "import sys\nsys.modules['torch'] = None\n"})
    ran = run(tmp_path, *arguments, env={"PYTHONPATH": str(tmp_path / "site")})
    assert (ran.status, ran.err) == (0, "")


def test_what_is_audited_is_never_imported(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"open('ran', 'w')\n{GOOD}", "conftest.py": "open('ran', 'w')\n"})
    write(tmp_path, {"sitecustomize.py": "open('ran', 'w')\n", "setup.py": "open('ran', 'w')\n"})
    status, _, _ = loaded(tmp_path, "check")
    assert status == 1
    assert not (tmp_path / "ran").exists()


WHOLE_TREE = {
    "esper_audit.source.index.index",
    "esper_audit.source.facts.store",
    "esper_audit.engine.impact",
}


@pytest.mark.parametrize("style", ["text", "json", "sarif", "github"])
def test_the_index_is_imported_only_when_somebody_asks(tmp_path: Path, style: str) -> None:
    write(tmp_path, {"a.py": GOOD})
    _, _, own = loaded(tmp_path, "check", "--format", style)
    assert not WHOLE_TREE & own
    assert not {m for m in own if m.startswith("esper_audit.rules.tree.")}
    _, foreign, own = loaded(tmp_path, "check", "--impact", "--format", style)
    assert own >= WHOLE_TREE
    assert foreign & NEVER == set()


def test_findings_are_compared_only_where_one_has_no_ticket(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    assert run(tmp_path, "run").status == 1
    status, foreign, own = loaded(tmp_path, "check", "--no-cache")
    assert (status, "esper_audit.tracking.matcher" in own) == (0, False)
    assert "jinja2" not in foreign
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    status, foreign, own = loaded(tmp_path, "check", "--no-cache")
    assert (status, "esper_audit.tracking.matcher" in own) == (0, True)
    assert foreign & NEVER == set()
    assert "esper_audit.tickets.ticket" not in own


CLAIM = """claims:
- {id: C1, sentence: It is called., kind: callers, of: a.f, calls: at least 1}
- {id: C2, sentence: It is so., kind: formula, left: 2 * n, right: n + n, over: {n: 3}}
- {id: C3, sentence: It passes., kind: test, node: test_a.py}
"""


def test_a_list_of_tickets_imports_nothing_that_answers_claims(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    assert run(tmp_path, "run").status == 1
    (ticket,) = (tmp_path / "tickets").glob("*.yaml")
    with ticket.open("a", encoding="utf-8") as file:
        file.write(CLAIM)
    loaded(tmp_path, "ticket", "list")
    status, foreign, own = loaded(tmp_path, "ticket", "list")
    assert status == 0
    assert {"esper_audit.tickets.ticket", "esper_audit.claims.records"} <= own
    assert not {"esper_audit.claims.registry", "esper_audit.tickets.decode"} & own
    assert "esper_audit.cli.quick_check" not in own  # it reads the arguments of `check` only
    assert len(own) <= MOST_TO_LIST_TICKETS, sorted(own)
    assert foreign <= {*WITHOUT_CANDIDATES, "click"}
