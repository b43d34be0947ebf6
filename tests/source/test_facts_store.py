"""Facts are kept by content: a changed file is read again, a moved one is not, damage counts as absence."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.audit_runs import write

from esper_audit.source.facts.records import FileFacts
from esper_audit.source.facts.store import WORTH_INDEXING_WORDS, FactStore

FILES = {"a.py": "def f(): ...\n", "b.py": "from a import f\n\nf()\n", "bad.py": "def (\n"}


def store_of(root: Path, paths: list[str] | None = None) -> FactStore:
    return FactStore(str(root), sorted(paths or FILES))


def facts_of(store: FactStore) -> list[FileFacts]:
    return [unit.facts for unit in store.modules()]


def extracted_paths(store: FactStore) -> list[str]:
    """Return the files that were read and not remembered."""
    store.modules()
    return sorted(store.extracted)


def test_a_second_time_nothing_is_read_and_all_is_the_same(tmp_path: Path) -> None:
    first = store_of(write(tmp_path, FILES))
    facts = facts_of(first)
    first.save()
    second = store_of(tmp_path)
    assert facts_of(second) == facts
    assert sorted(second.extracted) == ["bad.py"]
    assert list(second.problems) == ["bad.py"]


def test_a_changed_file_alone_is_read_again(tmp_path: Path) -> None:
    first = store_of(write(tmp_path, FILES))
    first.modules()
    first.save()
    write(tmp_path, {"a.py": "def g(): ...\n"})
    second = store_of(tmp_path)
    assert extracted_paths(second) == ["a.py", "bad.py"]
    assert [d.name for u in second.modules() for d in u.facts.definitions] == ["g"]


def test_a_file_that_moved_is_known_by_its_content(tmp_path: Path) -> None:
    first = store_of(write(tmp_path, FILES))
    first.modules()
    first.save()
    (tmp_path / "a.py").rename(tmp_path / "c.py")
    second = store_of(tmp_path, ["b.py", "c.py"])
    assert extracted_paths(second) == []
    assert [unit.name for unit in second.modules()] == ["b", "c"]


@pytest.mark.parametrize("damage", [b"", b"\x92", b"garbage", b"\xc0" * 99])
def test_a_damaged_store_counts_as_absent(
    tmp_path: Path, cache_directory: Path, damage: bytes
) -> None:
    first = store_of(write(tmp_path, FILES))
    facts = facts_of(first)
    first.save()
    (file,) = cache_directory.glob("*.facts")
    file.write_bytes(damage)
    assert facts_of(store_of(tmp_path)) == facts


def test_facts_that_another_reader_has_made_are_read_again(
    tmp_path: Path, cache_directory: Path
) -> None:
    first = store_of(write(tmp_path, FILES))
    first.modules()
    first.save()
    (file,) = cache_directory.glob("*.facts")
    _, known = msgspec.msgpack.decode(file.read_bytes())
    file.write_bytes(msgspec.msgpack.encode((b"another version", known)))
    assert extracted_paths(store_of(tmp_path)) == sorted(FILES)


def test_several_processes_read_what_one_reads(tmp_path: Path) -> None:
    files = {f"m{n}.py": f"def f{n}(x):\n    return f{n}(x)\n" for n in range(160)}
    write(tmp_path, files)
    many = store_of(tmp_path, list(files))
    few = [
        FactStore(str(tmp_path), [path], cache=False).modules()[0].facts for path in sorted(files)
    ]
    assert facts_of(many) == few


def test_a_text_stands_in_for_the_file(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    store = FactStore(str(tmp_path), sorted(FILES), texts={"a.py": b"def h(): ...\n"})
    unit = store.module("a.py")
    assert unit is not None
    assert list(unit.definitions) == ["h"]


def test_a_stub_beside_its_source_is_left_out(tmp_path: Path) -> None:
    files = {"a.py": "def f(): ...\n", "a.pyi": "def f(): ...\n", "b.pyi": "def g(): ...\n"}
    store = store_of(write(tmp_path, files), list(files))
    assert [unit.path for unit in store.modules()] == ["a.py", "b.pyi"]


def test_the_facts_of_a_cached_file_are_decoded_only_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"a.py": "x = 1\n", "b.py": "y = 1\n"})
    FactStore(str(tmp_path), ["a.py", "b.py"]).modules()
    store = FactStore(str(tmp_path), ["a.py", "b.py"])
    modules = store.modules()
    assert not any("facts" in vars(module) for module in modules)
    assert [m.facts.definitions[0].name for m in modules] == ["x", "y"]


@pytest.mark.parametrize("words_before", [0, WORTH_INDEXING_WORDS])
def test_a_file_is_found_by_whole_words_before_and_after_they_are_indexed(
    tmp_path: Path, words_before: int
) -> None:
    texts = {
        "a.py": "seq = 1\n",
        "b.py": "sequence = 1\n",
        "c.py": "\ufeffseq: é.seq_x\n",
        "d.py": "(seq",
    }
    write(tmp_path, texts)
    store = FactStore(str(tmp_path), list(texts), cache=False)
    for number in range(words_before):
        store.paths_with(f"word{number}")
    assert [*store.paths_with("seq")] == ["a.py", "c.py", "d.py"]
    assert [*store.paths_with("x"), *store.paths_with("_x")] == []
    assert [*store.paths_with("sequence")] == ["b.py"]


REPEATED = "def f(x):\n    g(x.y)\n    g(x.y)\n    h(x.y, z=1)\n    z = x.y\n    return x.y\n"


def test_equal_paths_and_arguments_of_a_file_are_one_object(tmp_path: Path) -> None:
    (facts,) = facts_of(store_of(write(tmp_path, {"a.py": REPEATED}), ["a.py"]))
    reads = [m.path for m in facts.mentions if str(m.path) == "x.y"]
    bound = facts.scopes[1].bindings["z"]
    assert len(reads) == 5
    assert len({id(path) for path in (*reads, *bound)}) == 1
    first, second, third = (m.arguments for m in facts.mentions if m.arguments is not None)
    assert first is second
    assert first is not third


def test_the_encoded_facts_are_dropped_once_every_file_has_its_own(tmp_path: Path) -> None:
    store = store_of(write(tmp_path, FILES))
    facts = facts_of(store)
    assert store._cache.get(store._digests["a.py"].hex(), store._digests["a.py"]) is None
    store.save()
    assert facts_of(store) == facts
    assert extracted_paths(store_of(tmp_path)) == ["bad.py"]
