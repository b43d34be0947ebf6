"""The cache knows a file by its content and forgets with engine, rules and configuration; damage counts as absence."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import CLEAN, GOOD, HASATTR, audit, run, write
from support.local_rules import with_rule

from esper_audit.findings.file_outcome import FileOutcome
from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.content_cache import ContentCache


def cache_of(root: str, made_by: bytes, *, enabled: bool = True) -> ContentCache[FileOutcome]:
    return ContentCache(root, "files", made_by, FileOutcome, enabled=enabled)


OUTCOME = FileOutcome("a.py", not_analysed=[NotAnalysed("a.py", "why", line=3)], used=[1])


def kept(cache_directory: Path, name: str = ".files") -> Path:
    (file,) = cache_directory.glob(f"*{name}")
    return file


def test_what_was_put_is_there_the_next_time() -> None:
    cache = cache_of("/root", b"engine")
    cache.put("a.py", b"1", OUTCOME)
    cache.save()
    assert cache_of("/root", b"engine").get("a.py", b"1") == OUTCOME


def test_other_content_another_engine_or_root_knows_nothing() -> None:
    cache = cache_of("/root", b"engine")
    cache.put("a.py", b"1", OUTCOME)
    cache.save()
    assert cache_of("/root", b"engine").get("a.py", b"2") is None
    assert cache_of("/root", b"engine").get("b.py", b"1") is None
    assert cache_of("/root", b"other").get("a.py", b"1") is None
    assert cache_of("/other", b"engine").get("a.py", b"1") is None


def test_a_cache_that_is_off_reads_and_writes_nothing(cache_directory: Path) -> None:
    cache = cache_of("/root", b"engine", enabled=False)
    cache.put("a.py", b"1", OUTCOME)
    cache.save()
    assert list(cache_directory.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"\x93", b"garbage", b"\xc0" * 99])
def test_a_damaged_cache_counts_as_absent(cache_directory: Path, damage: bytes) -> None:
    cache = cache_of("/root", b"engine")
    cache.put("a.py", b"1", OUTCOME)
    cache.save()
    kept(cache_directory).write_bytes(damage)
    assert cache_of("/root", b"engine").get("a.py", b"1") is None


def test_a_truncated_cache_counts_as_absent(cache_directory: Path, tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD})
    first = audit(tmp_path, cache=True)
    file = kept(cache_directory)
    file.write_bytes(file.read_bytes()[:-20])
    assert audit(tmp_path, cache=True) == first


def test_a_root_whose_name_is_no_text_has_a_cache(cache_directory: Path) -> None:
    cache_of("/tmp/\udcff", b"engine").put("a.py", b"1", OUTCOME)  # only a name
    assert cache_of("/tmp/\udcff", b"engine").get("a.py", b"1") is None  # only a name


def test_a_second_run_says_what_the_first_said(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": GOOD, "b.py": CLEAN, "odd.py": "def f(:\n"})
    assert audit(tmp_path, cache=True) == audit(tmp_path, cache=True) == audit(tmp_path)


def test_an_edited_file_is_looked_at_again(tmp_path: Path) -> None:
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


def test_an_authorisation_runs_out_although_the_file_is_known(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": f"# esper-audit: allow-file {HASATTR} until 2026-06-15 -- x\n{GOOD}"})
    assert audit(tmp_path, cache=True, today="2026-06-15").findings == []
    later = audit(tmp_path, cache=True, today="2026-06-16").findings
    assert sorted(f.check for f in later) == ["expired-suppression", HASATTR]


def test_two_runs_at_once_leave_a_cache_that_is_whole(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    write(tmp_path, {f"m{i}.py": GOOD for i in range(5)})
    with ThreadPoolExecutor(3) as pool:
        ran = list(pool.map(lambda _: run(tmp_path, "check"), range(3)))
    assert len({(r.status, r.out, r.err) for r in ran}) == 1
    assert run(tmp_path, "check") == ran[0]
