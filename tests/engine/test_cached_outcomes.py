"""The outcome of a file is cached by its content, until the engine, the rules or the configuration change."""

from __future__ import annotations

from pathlib import Path

from support.audit_runs import CLEAN, GOOD, HASATTR, audit, run, write
from support.local_rules import with_rule

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.content_cache import ContentCache


def cache_of(root: str, made_by: bytes) -> ContentCache[FileOutcome]:
    return ContentCache(root, "files", made_by, FileOutcome)


OUTCOME = FileOutcome("a.py", not_analysed=[NotAnalysed("a.py", "why", line=3)], used=[1])


def cache_file(cache_directory: Path) -> Path:
    (file,) = cache_directory.glob("*.files")
    return file


def test_an_outcome_is_returned_complete() -> None:
    cache = cache_of("/root", b"engine")
    cache.put("a.py", b"1", OUTCOME)
    cache.save()
    assert cache_of("/root", b"engine").get("a.py", b"1") == OUTCOME


def test_a_truncated_cache_counts_as_absent(cache_directory: Path, tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    first = audit(tmp_path, cache=True)
    file = cache_file(cache_directory)
    file.write_bytes(file.read_bytes()[:-20])
    assert audit(tmp_path, cache=True) == first


def test_a_second_run_has_the_same_result(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD, "b.py": CLEAN, "odd.py": "def f(:\n"})
    assert audit(tmp_path, cache=True) == audit(tmp_path, cache=True) == audit(tmp_path)


def test_an_edited_file_is_checked_again(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": CLEAN, "b.py": CLEAN})
    assert audit(tmp_path, cache=True).findings == []
    write(tmp_path, {"a.py": GOOD})
    assert [f.location.path for f in audit(tmp_path, cache=True).findings] == ["a.py"]


def test_another_selection_is_another_engine(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    assert audit(tmp_path, cache=True, select=["silent-except"]).findings == []
    assert len(audit(tmp_path, cache=True, select=[HASATTR]).findings) == 1


def test_an_edited_rule_is_another_engine(tmp_path: Path) -> None:
    write(with_rule(tmp_path, "old-call"), {"a.py": "old(1)\n"})
    assert [f.message for f in audit(tmp_path, cache=True).findings] == ["old is called"]
    with_rule(tmp_path, "old-call", "yield Violation(node, 'otherwise')")
    assert [f.message for f in audit(tmp_path, cache=True).findings] == ["otherwise"]


def test_an_authorisation_expires_for_a_cached_file(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"# esper-audit: allow-file {HASATTR} until 2026-06-15 -- x\n{GOOD}"})
    assert audit(tmp_path, cache=True, today="2026-06-15").findings == []
    later = audit(tmp_path, cache=True, today="2026-06-16").findings
    assert sorted(f.check for f in later) == ["expired-suppression", HASATTR]


def test_parallel_runs_leave_a_valid_cache(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    write(tmp_path, {f"m{i}.py": GOOD for i in range(5)})
    with ThreadPoolExecutor(3) as pool:
        ran = list(pool.map(lambda _: run(tmp_path, "check"), range(3)))
    assert len({(r.status, r.out, r.err) for r in ran}) == 1
    assert run(tmp_path, "check") == ran[0]
