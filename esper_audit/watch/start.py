"""The start of watching in a process of the command: hooks go on when torch has been imported."""

from __future__ import annotations

import atexit
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import warnings
from types import ModuleType

from esper_audit.watch.records import ONLY, PROJECT_ROOT, REPORT_FOLDER, STEPS, Ended

TORCH = "torch"


class TorchFinder(importlib.abc.MetaPathFinder):
    """Finds torch as the finders behind it do, and calls `watch` after its import.

    It stays until torch is imported: programs ask for the spec alone to see whether torch is there.
    """

    def __init__(self) -> None:
        self._is_asking = False

    def find_spec(
        self, name: str, path: object = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of torch with a loader that watches."""
        if name != TORCH or self._is_asking:
            return None
        self._is_asking = True
        spec = importlib.util.find_spec(name)
        self._is_asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = WatchingLoader(spec.loader, self)
        return spec


class WatchingLoader(importlib.abc.Loader):
    """Loads a module, then begins to watch."""

    def __init__(self, loader: importlib.abc.Loader, finder: TorchFinder) -> None:
        self.loader, self.finder = loader, finder

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Return what the loader creates."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Import torch, and put the hooks on."""
        sys.meta_path.remove(self.finder)
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        watch()


def wait_for_torch() -> None:
    """Watch as soon as torch is imported."""
    sys.meta_path.insert(0, TorchFinder())


def watch() -> None:
    """Put the hooks on, and take them off when the process ends."""
    from esper_audit.watch.hooks import Hooks
    from esper_audit.watch.monitor import make_monitors
    from esper_audit.watch.run import Run

    run = Run(os.environ[REPORT_FOLDER], os.environ[PROJECT_ROOT])
    only = [name for name in os.environ[ONLY].split(",") if name]
    hooks = Hooks(run, make_monitors(run, only), int(os.environ[STEPS]))
    hooks.install()
    # torch.compile warns of global hooks on modules. These do nothing in compiled code.
    warnings.filterwarnings(
        "ignore", r"Using `torch.compile\(module\)` when there are global hooks"
    )
    process = os.getpid()

    def end() -> None:
        if os.getpid() != process:  # a forked child, such as a worker of a data loader
            return
        hooks.finish()
        run.write(Ended(run.step, hooks.optimizers, run.rank))

    atexit.register(end)
