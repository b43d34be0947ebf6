"""Begins to follow a process of the command, then runs the sitecustomize that this one hides."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def _run_hidden() -> None:
    """Import the sitecustomize that would have been found without this folder, if there is one."""
    elsewhere = [path for path in sys.path if os.path.abspath(path) != FOLDER]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", elsewhere)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


def _follow() -> None:
    """Act when torch is imported, without an import of our package before: pytest wants to rewrite it."""
    file = os.path.join(os.path.dirname(FOLDER), "torch_import.py")
    spec = importlib.util.spec_from_file_location("_esper_audit_torch_import", file)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.wait_for_torch(module.call_starter)


_follow()
_run_hidden()
