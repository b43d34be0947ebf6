"""Which results of discovered classes still hold, and which classes changed since a revision."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from esper_audit.probes.answers.unit_cache import UnitCache, digest_of
from esper_audit.probes.answers.used_files import UsedFiles
from esper_audit.probes.discovery.targets import ModuleClass
from esper_audit.project.config import Project

NAMED = re.compile(rb'"(?:name|call)":"([\w.]+):')
Value = TypeVar("Value")


class _Answer(msgspec.Struct, frozen=True):
    """The result of a class, and the digest of all modules if it depends on them."""

    value: msgspec.Raw
    every: bytes


class ClassAnswers:
    """The results of earlier runs for the classes of some modules, whose files are `modules` by name.

    A result holds while the files that the class uses and its recipes are the same. That of a class that
    did not run, or whose recipe names classes of other files, holds while all modules are the same.
    """

    def __init__(self, project: Project, modules: dict[str, str], *, enabled: bool) -> None:
        self._project, self._modules = project, modules
        self._cache = UnitCache(project, enabled=enabled)
        self._files = UsedFiles(project.root)
        self.save, self.save_new = self._cache.save, self._cache.save_new

    @cached_property
    def _every(self) -> bytes:
        return digest_of([*self._modules], self._files.every_digest(self._modules.values()))

    def of_all(
        self,
        purpose: str,
        inputs: object,
        kind: type[Value],
        compute: Callable[[], Value],
        is_kept: Callable[[Value], bool] = lambda _: True,
    ) -> Value:
        """Return what depends on all modules and `inputs`: the known result, else a computed one."""
        name = f"{purpose} {digest_of(sorted(self._modules)).hex()}"
        digest = digest_of(self._every, inputs)
        known = self._cache.get(name, digest, kind)
        if known is not None:
            return known
        value = compute()
        if is_kept(value):
            self._cache.put(name, digest, value)
            self.save_new()
        return value

    def get(
        self, purpose: str, one: ModuleClass, inputs: object, kind: type[Value]
    ) -> Value | None:
        """Return the result of a class for some inputs, None if there is none that holds."""
        answer = self._cache.get(*self._key(purpose, one, inputs), _Answer)
        if answer is None or (answer.every and answer.every != self._every):
            return None
        return msgspec.msgpack.decode(answer.value, type=kind)

    def put(
        self, purpose: str, one: ModuleClass, inputs: object, value: object, recipe: dict[str, Any]
    ) -> None:
        """Keep the result of a class, and the recipe by which it runs, empty if it does not."""
        used = self._files.of(self._file(one.path))
        named = (name.decode() for name in NAMED.findall(msgspec.json.encode(recipe)))
        others = {self._modules[name] for name in named if name in self._modules}
        is_alone = bool(recipe) and {os.path.realpath(file) for file in others} <= used
        answer = _Answer(
            msgspec.Raw(msgspec.msgpack.encode(value)), b"" if is_alone else self._every
        )
        self._cache.put(*self._key(purpose, one, inputs), answer)

    def is_reproduced(self, path: str, program: str) -> bool | None:
        """Return whether a program about a class in a file reproduced its failure, None if unknown."""
        return self._cache.get(*self._program_key(path, program), bool)

    def put_reproduced(self, path: str, program: str, *, is_reproduced: bool) -> None:
        """Keep whether a program reproduced its failure."""
        self._cache.put(*self._program_key(path, program), is_reproduced)

    def changed(self, classes: Sequence[ModuleClass], revision: str) -> list[ModuleClass]:
        """Return the classes that use a file which changed since a revision, all of them if it is empty.

        All count as changed with the file of recipes. Raises GitError.
        """
        if not revision:
            return [*classes]
        changed = self._files.changed_since(revision)
        if os.path.realpath(self._project.resolve(self._project.config.recipes)) in changed:
            return [*classes]
        return [one for one in classes if self._files.uses_any(self._file(one.path), changed)]

    def _key(self, purpose: str, one: ModuleClass, inputs: object) -> tuple[str, bytes]:
        digest = digest_of(self._files.digest(self._file(one.path)), one, inputs)
        return f"{purpose} {one.target}", digest

    def _program_key(self, path: str, program: str) -> tuple[str, bytes]:
        digest = digest_of(program)
        return f"reproduced {digest.hex()}", digest_of(self._files.digest(self._file(path)))

    def _file(self, path: str) -> str:
        return os.path.join(self._project.root, path)
