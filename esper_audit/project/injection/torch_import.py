"""A function that is called in each process of a command when torch has been imported there."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path_entry")
STARTER = "ESPER_AUDIT_STARTER"  # `package.module:function`
TORCH = "torch"


def injected_environment(starter: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command whose processes call `package.module:function` after torch."""
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(part for part in (FOLDER, before) if part)
    return {**os.environ, "PYTHONPATH": path, STARTER: starter, **settings}


def call_starter() -> None:
    """Call the function that the environment names."""
    module, _, name = os.environ[STARTER].partition(":")
    vars(importlib.import_module(module))[name]()


class TorchFinder(importlib.abc.MetaPathFinder):
    """Finds torch as the finders behind it do, and calls `start` after its import.

    It stays until torch is imported: programs ask for the spec alone to see whether torch is there.
    """

    def __init__(self, start: Callable[[], None]) -> None:
        self._is_asking = False
        self._start = start

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of torch with a loader that starts."""
        if name != TORCH or self._is_asking:
            return None
        self._is_asking = True
        spec = importlib.util.find_spec(name)
        self._is_asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = StartingLoader(spec.loader, self, self._start)
        return spec


class StartingLoader(importlib.abc.Loader):
    """Loads a module, then calls `start`."""

    def __init__(
        self, loader: importlib.abc.Loader, finder: TorchFinder, start: Callable[[], None]
    ) -> None:
        self.loader, self.finder, self.start = loader, finder, start

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Return what the loader creates."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Import torch, and start."""
        sys.meta_path.remove(self.finder)
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.start()


def wait_for_torch(start: Callable[[], None]) -> None:
    """Call `start` as soon as torch is imported."""
    sys.meta_path.insert(0, TorchFinder(start))
