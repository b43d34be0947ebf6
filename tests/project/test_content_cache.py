"""The content cache returns a value for the same content and code only; damage counts as absence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from esper_audit.project.content_cache import MOST_PARTS, PART_BYTES, ContentCache
from esper_audit.project.engine_fingerprint import (
    OWN_FILES,
    cache_home,
    content_digest,
    engine_fingerprint,
    folder_fingerprint,
    package_fingerprint,
)
from esper_audit.project.submodules import PACKAGE


class Value(msgspec.Struct, frozen=True):
    name: str
    numbers: list[int] = []


VALUE = Value("one", [1, 2])
DIGEST = content_digest(b"content")


def cache_of(
    root: str = "/root",
    made_by: bytes = b"code",
    *,
    purpose: str = "values",
    enabled: bool = True,
) -> ContentCache[Value]:
    return ContentCache(root, purpose, made_by, Value, enabled=enabled)


def save(**values: Value) -> None:
    cache = cache_of()
    for name, value in values.items():
        cache.put(name, DIGEST, value)
    cache.save()


def cache_file(directory: Path) -> Path:
    (file,) = directory.glob("*.values")
    return file


def test_a_saved_value_is_returned() -> None:
    save(a=VALUE, b=Value("two"))
    assert cache_of().get("a", DIGEST) == VALUE
    assert cache_of().get("b", DIGEST) == Value("two")


def test_a_value_is_returned_before_it_is_saved() -> None:
    cache = cache_of()
    cache.put("a", DIGEST, VALUE)
    assert cache.get("a", DIGEST) == VALUE
    assert cache_of().get("a", DIGEST) is None


def test_another_content_name_code_root_or_purpose_has_no_value() -> None:
    save(a=VALUE)
    assert cache_of().get("a", content_digest(b"other content")) is None
    assert cache_of().get("b", DIGEST) is None
    assert cache_of(made_by=b"other code").get("a", DIGEST) is None
    assert cache_of("/other").get("a", DIGEST) is None
    assert cache_of(purpose="others").get("a", DIGEST) is None
    assert cache_of().get("a", DIGEST) == VALUE


def test_a_cache_of_other_code_is_replaced() -> None:
    save(a=VALUE)
    cache = cache_of(made_by=b"other code")
    cache.put("b", DIGEST, VALUE)
    cache.save()
    assert cache_of(made_by=b"other code").get("b", DIGEST) == VALUE
    assert cache_of().get("a", DIGEST) is None


def test_a_disabled_cache_reads_and_writes_nothing(cache_directory: Path) -> None:
    save(a=VALUE)
    before = cache_file(cache_directory).read_bytes()
    cache = cache_of(enabled=False)
    assert cache.get("a", DIGEST) is None
    cache.put("b", DIGEST, VALUE)
    cache.save()
    assert cache_file(cache_directory).read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"\x93", b"garbage", b"\xc0" * 99])
def test_a_damaged_file_counts_as_absent(cache_directory: Path, damage: bytes) -> None:
    save(a=VALUE)
    cache_file(cache_directory).write_bytes(damage)
    assert cache_of().get("a", DIGEST) is None


def test_a_truncated_file_counts_as_absent(cache_directory: Path) -> None:
    save(a=VALUE)
    content = cache_file(cache_directory).read_bytes()
    for size in range(len(content)):
        cache_file(cache_directory).write_bytes(content[:size])
        assert cache_of().get("a", DIGEST) is None


def test_a_value_of_another_type_counts_as_absent() -> None:
    other = ContentCache("/root", "values", b"code", list[int])
    other.put("a", DIGEST, [1])
    other.save()
    assert cache_of().get("a", DIGEST) is None


def test_only_the_kept_names_stay(cache_directory: Path) -> None:
    save(a=VALUE, b=VALUE, c=VALUE)
    before = cache_file(cache_directory).read_bytes()
    cache_of().save(keep=["a", "b", "c", "unknown"])
    assert cache_file(cache_directory).read_bytes() == before
    cache_of().save(keep=["b"])
    assert [cache_of().get(name, DIGEST) for name in "abc"] == [None, VALUE, None]
    assert len(cache_file(cache_directory).read_bytes()) < len(before)


def test_an_unchanged_cache_is_not_written(cache_directory: Path) -> None:
    save(a=VALUE)
    cache_file(cache_directory).unlink()
    cache = cache_of()
    cache.save()
    assert list(cache_directory.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_no_error(cache_directory: Path) -> None:
    cache = cache_of()
    cache.put("a", DIGEST, VALUE)
    cache_directory.rmdir()
    cache_directory.write_text("a file where the directory should be")
    cache.save()
    assert cache.get("a", DIGEST) == VALUE
    assert cache_of().get("a", DIGEST) is None


def test_a_root_that_is_not_utf8_has_a_cache() -> None:
    cache = cache_of(os.fsdecode(b"/root/\xff"))
    cache.put("a", DIGEST, VALUE)
    cache.save()
    assert cache_of(os.fsdecode(b"/root/\xff")).get("a", DIGEST) == VALUE


def test_the_variable_decides_the_folder_of_the_caches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ESPER_AUDIT_CACHE", str(tmp_path / "own"))
    assert cache_home() == str(tmp_path / "own")
    monkeypatch.delenv("ESPER_AUDIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == str(tmp_path / "xdg" / "esper-audit")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this package."""
    ignored = shutil.ignore_patterns("__pycache__")
    return Path(
        shutil.copytree(PACKAGE, tmp_path_factory.mktemp("copy") / "esper_audit", ignore=ignored)
    )


def representatives() -> list[str]:
    """Return a file of each kind from each top-level folder of the package, relative to it."""
    found: dict[tuple[str, str], str] = {}
    for folder, _, names in os.walk(PACKAGE):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), PACKAGE)
            suffix = os.path.splitext(name)[1]
            if os.fsencode(suffix) in OWN_FILES and "__pycache__" not in path:
                found.setdefault((path.partition(os.sep)[0], suffix), path)
    return sorted(found.values())


def test_the_fingerprint_covers_every_room_and_every_kind_of_file() -> None:
    rooms = {path.partition(os.sep)[0] for path in representatives()}
    assert {"cli", "engine", "findings", "reports", "rules", "tickets"} <= rooms
    assert {os.path.splitext(path)[1] for path in representatives()} >= {".py", ".yaml", ".md"}


@pytest.mark.parametrize("path", representatives())
def test_the_fingerprint_changes_with_each_file_of_the_package(package: Path, path: str) -> None:
    before = folder_fingerprint(str(package))
    assert folder_fingerprint(str(package)) == before
    file = package / path
    content = file.read_bytes()
    file.write_bytes(content + b"\n")
    assert folder_fingerprint(str(package)) != before
    file.write_bytes(content)
    later = file.stat().st_mtime_ns + 1_000_000
    os.utime(file, ns=(later, later))
    assert folder_fingerprint(str(package)) != before


def test_the_fingerprint_changes_with_a_new_a_removed_and_a_renamed_file(package: Path) -> None:
    seen = {folder_fingerprint(str(package))}
    new = package / "cli" / "new_verb.py"
    new.write_text("")
    seen.add(folder_fingerprint(str(package)))
    new.rename(package / "cli" / "newer_verb.py")
    seen.add(folder_fingerprint(str(package)))
    assert len(seen) == 3
    (package / "cli" / "newer_verb.py").unlink()
    assert folder_fingerprint(str(package)) in seen


def test_other_files_do_not_change_the_fingerprint(package: Path) -> None:
    before = folder_fingerprint(str(package))
    (package / "notes.txt").write_text("no part of the package")
    (package / "cli" / "__pycache__").mkdir()
    (package / "cli" / "__pycache__" / "check.cpython-311.py").write_text("")
    assert folder_fingerprint(str(package)) == before


def test_the_package_fingerprint_is_that_of_its_folder() -> None:
    assert package_fingerprint() == folder_fingerprint(PACKAGE)


def test_the_engine_fingerprint_changes_with_its_parts() -> None:
    assert engine_fingerprint() == engine_fingerprint()
    assert engine_fingerprint([b"rule"]) != engine_fingerprint()
    assert engine_fingerprint([b"rule", b"s"]) != engine_fingerprint([b"rules", b""])


def test_a_released_cache_holds_nothing_and_leaves_its_file_alone() -> None:
    cache = cache_of()
    cache.put("a", DIGEST, VALUE)
    cache.save()
    cache.release()
    assert cache.get("a", DIGEST) is None
    cache.put("b", DIGEST, VALUE)
    cache.save()
    again = cache_of()
    assert again.get("a", DIGEST) == VALUE
    assert again.get("b", DIGEST) is None


def test_a_value_that_is_encoded_late_is_returned_before_and_after_saving() -> None:
    late = ContentCache("/root", "values", b"code", Value, encodes_late=True)
    late.put("a", DIGEST, VALUE)
    assert late.get("a", DIGEST) is VALUE
    late.save()
    assert cache_of().get("a", DIGEST) == VALUE


def parts(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.values.new/*"))


def test_new_values_are_there_without_a_save_and_a_save_takes_them_up(
    cache_directory: Path,
) -> None:
    save(a=VALUE)
    before = cache_file(cache_directory).read_bytes()
    killed = cache_of()
    for name in "bc":
        killed.put(name, DIGEST, Value(name))
        killed.save_new()
    assert cache_file(cache_directory).read_bytes() == before
    assert [cache_of().get(name, DIGEST) for name in "abc"] == [VALUE, Value("b"), Value("c")]
    cache_of().save()
    assert list(cache_directory.iterdir()) == [cache_file(cache_directory)]
    assert [cache_of().get(name, DIGEST) for name in "abc"] == [VALUE, Value("b"), Value("c")]


def test_the_last_of_two_killed_runs_counts(cache_directory: Path) -> None:
    for digest in (DIGEST, content_digest(b"other content")):
        cache = cache_of()
        cache.put("a", digest, VALUE)
        cache.save_new()
    assert len(parts(cache_directory)) == 2
    assert cache_of().get("a", DIGEST) is None
    assert cache_of().get("a", content_digest(b"other content")) == VALUE


def test_a_damaged_part_or_one_of_other_code_costs_its_values_alone(cache_directory: Path) -> None:
    for name, made_by in (("a", b"code"), ("b", b"code"), ("c", b"other code")):
        cache = cache_of(made_by=made_by)
        cache.put(name, DIGEST, VALUE)
        cache.save_new()
    damaged, *_ = parts(cache_directory)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert [cache_of().get(name, DIGEST) for name in "abc"] == [None, VALUE, None]
    cache_of().save()
    assert parts(cache_directory) == []


def test_the_part_of_a_run_that_goes_on_is_left_alone(cache_directory: Path) -> None:
    save(a=VALUE)
    other, running = cache_of(), cache_of()
    running.put("b", DIGEST, VALUE)
    running.save_new()
    other.put("c", DIGEST, VALUE)
    other.save()
    assert len(parts(cache_directory)) == 1
    assert [cache_of().get(name, DIGEST) for name in "abc"] == [VALUE] * 3


def test_the_cost_of_new_values_does_not_grow_with_the_cache(cache_directory: Path) -> None:
    cache = cache_of()
    big = Value("x" * PART_BYTES)
    written = 0
    for number in range(MOST_PARTS):
        cache.put(f"{number}", DIGEST, big)
        cache.save_new()
        written += parts(cache_directory)[-1].stat().st_size
    assert written < MOST_PARTS * (PART_BYTES + 1000)
    cache.put("last", DIGEST, VALUE)
    cache.save_new()
    assert parts(cache_directory) == []
    assert cache_of().get("0", DIGEST) == big
    assert cache_of().get("last", DIGEST) == VALUE


def test_new_values_that_cannot_be_written_are_no_error(cache_directory: Path) -> None:
    cache = cache_of()
    cache.put("a", DIGEST, VALUE)
    cache_directory.rmdir()
    cache_directory.write_text("a file where the directory should be")
    cache.save_new()
    cache_directory.unlink()
    cache.save_new()
    assert cache_of().get("a", DIGEST) == VALUE
