"""The facts of a tree's files: read when somebody asks, kept by content in one flat file, never from a changed file."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from esper_audit.findings.finding import NotAnalysed
from esper_audit.project.content_cache import ContentCache, content_digest, package_fingerprint
from esper_audit.project.file_roles import Roles
from esper_audit.project.parallel import map_files
from esper_audit.source.facts.extract import read_facts
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.module_names import Modules
from esper_audit.source.facts.records import FileFacts
from esper_audit.source.syntax.source import parse, read, words_of


class FileReading(msgspec.Struct, frozen=True, array_like=True):
    """The facts of one file, encoded; or why there are none."""

    path: str
    facts: bytes = b""
    not_analysed: list[NotAnalysed] = []
    lost: bool = False


class FactStore:
    """The files of a tree; `texts` stand in for files on disk (an editor's unsaved buffer).

    `read_now` are the files that had to be read, because their content was not known.
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
        self.modules = Modules(self.paths, os.path.basename(os.path.normpath(root)))
        self.problems: dict[str, NotAnalysed] = {}
        self._contents: dict[str, bytes] = {}
        self._read_all(texts or {})
        self._units: dict[str, ModuleFacts | None] = {}
        self._known = ContentCache(root, "facts", package_fingerprint(), bytes, enabled=cache)
        self._with: dict[str, list[str]] = {}
        self._by_word: dict[bytes, list[str]] | None = None
        self.read_now: set[str] = set()

    @property
    def looked_at(self) -> list[str]:
        """The files whose facts somebody has asked for."""
        return sorted(self._units)

    def unit(self, path: str) -> ModuleFacts | None:
        """Return a file's facts; None if it is not there or could not be read (`problems` says why)."""
        if path not in self._units:
            content = self._contents.get(path)
            self._units[path] = self._made(path, content) if content is not None else None
        return self._units[path]

    def units(self) -> list[ModuleFacts]:
        """Return every file that can be read, in order; those not known yet over several processes."""
        missing = [
            path
            for path, content in self._contents.items()
            if path not in self._units and self._encoded(content) is None
        ]
        for reading in map_files(self._reading, missing, 0, FileReading):
            self._take(reading)
        if self._by_word is None:
            self._by_word = self._words()
            self._with = {}
        return [unit for path in self.paths if (unit := self.unit(path)) is not None]

    def paths_with(self, word: str) -> list[str]:
        """Return the files whose text holds a word, those that cannot be parsed too."""
        if word not in self._with:
            wanted = word.encode()
            if self._by_word is None:
                found = [p for p in self.paths if wanted in self._contents.get(p, b"")]
            else:
                found = self._by_word.get(wanted, [])
            self._with[word] = found
        return self._with[word]

    def units_with(self, word: str) -> Iterable[ModuleFacts]:
        """Return the files that hold a word and can be read."""
        return [unit for path in self.paths_with(word) if (unit := self.unit(path)) is not None]

    def not_read(self, words: Iterable[str]) -> list[NotAnalysed]:
        """Return the files that may hold one of the words and could not be read or parsed."""
        wanted = [path for word in words for path in self.paths_with(word)]
        for path in wanted:
            self.unit(path)
        unreadable = [path for path in self.problems if path not in self._contents]
        return sorted({self.problems[p] for p in (*wanted, *unreadable) if p in self.problems})

    def content(self, path: str) -> bytes | None:
        """Return the bytes of a file; None if it could not be read."""
        return self._contents.get(path)

    def save(self) -> None:
        """Keep what was read for the next time; a cache that cannot be written is no error."""
        self._known.save(keep={_key(content) for content in self._contents.values()})

    def _read_all(self, texts: Mapping[str, bytes]) -> None:
        for path in self.paths:
            content = texts[path] if path in texts else read(self._root, path)
            if isinstance(content, NotAnalysed):
                self.problems[path] = content
            else:
                self._contents[path] = content

    def _words(self) -> dict[bytes, list[str]]:
        """Return the files by whole word: quicker than looking through all of them for each of many words."""
        found: dict[bytes, list[str]] = defaultdict(list)
        for path in self.paths:
            for word in words_of(self._contents.get(path, b"")):
                found[word].append(path)
        return found

    def _made(self, path: str, content: bytes) -> ModuleFacts | None:
        encoded = self._encoded(content)
        if encoded is None:
            if path in self.problems:
                return None
            self._take(self._reading(path))
            encoded = self._encoded(content)
        if encoded is None:
            return None
        facts = msgspec.msgpack.decode(encoded, type=FileFacts)
        return ModuleFacts(path, self.modules.name(path), self._roles.of(path), facts)

    def _reading(self, path: str, _: Collection[str] = ()) -> FileReading:
        """Read the facts of one file; what cannot be parsed, or is nested too deeply, is told."""
        source = parse(path, self._contents[path])
        if isinstance(source, NotAnalysed):
            return FileReading(path, not_analysed=[source])
        try:
            return FileReading(path, msgspec.msgpack.encode(read_facts(source.tree)))
        except RecursionError:
            problem = NotAnalysed(path, "nested too deeply for the index")
            return FileReading(path, not_analysed=[problem])

    def _take(self, reading: FileReading) -> None:
        self.read_now.add(reading.path)
        if reading.not_analysed:
            self.problems[reading.path] = reading.not_analysed[0]
        else:
            content = self._contents[reading.path]
            self._known.put(_key(content), content_digest(content), reading.facts)

    def _encoded(self, content: bytes) -> bytes | None:
        return self._known.get(_key(content), content_digest(content))


def _key(content: bytes) -> str:
    """Return the name under which facts are cached: by content alone, so that a moved file is known."""
    return content_digest(content).hex()


def _without_stub_twins(paths: Iterable[str]) -> Iterable[str]:
    """Leave out `.pyi` files whose module has source: they say again what the source says."""
    known = set(paths)
    return (p for p in known if not (p.endswith(".pyi") and p.removesuffix("i") in known))
