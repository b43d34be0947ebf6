"""The store of a tree's facts: extracted on demand, and cached by content."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.content_cache import ContentCache
from esper_audit.project.engine_fingerprint import content_digest, package_fingerprint
from esper_audit.project.file_roles import Roles
from esper_audit.project.workers.parallel import map_files
from esper_audit.source.facts.extraction.extract import read_facts
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.shared_parts import SharedParts
from esper_audit.source.modules.import_roots import read_module_names
from esper_audit.source.syntax.source import has_word, parse, read, words_of

# For fewer words each file is searched; for more, an index of all words is quicker.
WORTH_INDEXING_WORDS = 16


class FileReading(msgspec.Struct, frozen=True, array_like=True):
    """The facts of one file, encoded, or the reason why there are none."""

    path: str
    facts: bytes = b""
    not_analysed: list[NotAnalysed] = []
    lost: bool = False


class FactStore:
    """The files of a tree. `texts` replace files on disk (an editor's unsaved buffer).

    `extracted` are the files that had to be read, because their content was not in the cache.
    """

    def __init__(
        self,
        root: str,
        paths: Sequence[str],
        *,
        roles: Roles | None = None,
        texts: Mapping[str, bytes] | None = None,
        cache: bool = True,
    ) -> None:
        self._root = root
        self._roles = roles or Roles()
        self.paths = sorted(_without_stub_twins({*paths, *(texts or {})}))
        self.problems: dict[str, NotAnalysed] = {}
        self._contents: dict[str, bytes] = {}
        self._digests: dict[str, bytes] = {}
        self._read_all(texts or {})
        name = os.path.basename(os.path.normpath(root))
        self.module_names, unresolved = read_module_names(self.paths, name, self._contents)
        if unresolved is not None:
            self.problems[unresolved.path] = unresolved
        self._modules: dict[str, ModuleFacts | None] = {}
        self._shared = SharedParts()
        self._cache = ContentCache(root, "facts", package_fingerprint(), memoryview, enabled=cache)
        self._paths_by_word: dict[str, list[str]] = {}
        self._word_index: dict[bytes, tuple[str, ...]] | None = None
        self.extracted: set[str] = set()

    @property
    def loaded_paths(self) -> list[str]:
        """The files whose facts were loaded."""
        return sorted(self._modules)

    def module(self, path: str) -> ModuleFacts | None:
        """Return a file's facts, or None if it is missing or unreadable (`problems` has the reason)."""
        if path not in self._modules:
            self._modules[path] = self._load(path) if path in self._contents else None
        return self._modules[path]

    def modules(self) -> list[ModuleFacts]:
        """Return every file that can be read, in order. Those not cached are extracted in several processes."""
        missing = [
            path
            for path in self._contents
            if path not in self._modules and self._encoded(path) is None
        ]
        for reading in map_files(self._extract, missing, 0, FileReading):
            self._keep(reading)
        modules = [module for path in self.paths if (module := self.module(path)) is not None]
        self.save()
        self._cache.release()  # each module holds its facts now
        return modules

    def paths_with(self, word: str) -> Sequence[str]:
        """Return the files whose text contains a whole word, those that cannot be parsed too."""
        if self._word_index is None and len(self._paths_by_word) >= WORTH_INDEXING_WORDS:
            self._word_index = self._index_words()
        if self._word_index is not None:
            return self._word_index.get(word.encode(), ())
        if word not in self._paths_by_word:
            found = [p for p, text in self._contents.items() if has_word(text, word.encode())]
            self._paths_by_word[word] = found
        return self._paths_by_word[word]

    def modules_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the readable files that contain a word."""
        return [
            module for path in self.paths_with(word) if (module := self.module(path)) is not None
        ]

    def unread_files(self, words: Iterable[str]) -> list[NotAnalysed]:
        """Return the files that may contain one of the words and could not be read or parsed."""
        wanted = [path for word in words for path in self.paths_with(word)]
        for path in wanted:
            self.module(path)
        unreadable = [path for path in self.problems if path not in self._contents]
        return sorted({self.problems[p] for p in (*wanted, *unreadable) if p in self.problems})

    def content(self, path: str) -> bytes | None:
        """Return the bytes of a file, or None if it could not be read."""
        return self._contents.get(path)

    @cached_property
    def lines(self) -> int:
        """The number of lines of all files."""
        return sum(content.count(b"\n") + 1 for content in self._contents.values())

    def save(self) -> None:
        """Write the cache. Failing to write it is no error."""
        self._cache.save(keep={self._digests[path].hex() for path in self._contents})

    def _read_all(self, texts: Mapping[str, bytes]) -> None:
        for path in self.paths:
            content = texts[path] if path in texts else read(self._root, path)
            if isinstance(content, NotAnalysed):
                self.problems[path] = content
            else:
                self._contents[path] = content
                self._digests[path] = content_digest(content)

    def _index_words(self) -> dict[bytes, tuple[str, ...]]:
        """Return the files by whole word, which is quicker than searching all of them for each of many words."""
        found: dict[bytes, list[str]] = defaultdict(list)
        for path, content in self._contents.items():
            for word in words_of(content):
                found[word].append(path)
        equal: dict[tuple[str, ...], tuple[str, ...]] = {}  # most words occur in one file only
        indexed: dict[bytes, tuple[str, ...]] = {}
        while found:
            word, listed = found.popitem()
            paths = tuple(listed)
            indexed[word] = equal.setdefault(paths, paths)
        return indexed

    def _load(self, path: str) -> ModuleFacts | None:
        encoded = self._encoded(path)
        if encoded is None and path not in self.problems:
            self._keep(self._extract(path))
            encoded = self._encoded(path)
        if encoded is None:
            return None
        name, role = self.module_names.name(path), self._roles.of(path)
        return ModuleFacts(path, name, role, encoded, self._shared)

    def _extract(self, path: str, _: Collection[str] = ()) -> FileReading:
        """Extract the facts of one file, or the reason why it has none."""
        source = parse(path, self._contents[path])
        if isinstance(source, NotAnalysed):
            return FileReading(path, not_analysed=[source])
        try:
            return FileReading(path, msgspec.msgpack.encode(read_facts(source.tree)))
        except RecursionError:
            problem = NotAnalysed(path, "nested too deeply for the index")
            return FileReading(path, not_analysed=[problem])

    def _keep(self, reading: FileReading) -> None:
        self.extracted.add(reading.path)
        if reading.not_analysed:
            self.problems[reading.path] = reading.not_analysed[0]
        else:
            digest = self._digests[reading.path]
            self._cache.put(digest.hex(), digest, memoryview(reading.facts))

    def _encoded(self, path: str) -> memoryview | None:
        """Return the cached facts of a file's content, which a moved file keeps."""
        digest = self._digests[path]
        return self._cache.get(digest.hex(), digest)


def _without_stub_twins(paths: Iterable[str]) -> Iterable[str]:
    """Leave out `.pyi` files whose module has source."""
    known = set(paths)
    return (p for p in known if not (p.endswith(".pyi") and p.removesuffix("i") in known))
