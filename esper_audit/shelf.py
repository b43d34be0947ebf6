"""Finding the rules: those in `rules/`, those of installed plugins, and local files named by the configuration."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType

from esper_audit.errors import EsperAuditError, RuleLoadError
from esper_audit.rule import FAILURES, Rule, validate

ENTRY_POINT_GROUP = "esper_audit.rules"
LOCAL_RULES = "esper_audit.local_rules"


def discover(local_files: Iterable[str] = ()) -> dict[str, type[Rule]]:
    """Return every rule class by its id, sorted; a rule that does not load is a RuleLoadError."""
    found: dict[str, type[Rule]] = {}
    for module in _modules(local_files):
        for rule in _rules_of(module):
            validate(rule)
            known = found.get(rule.id)
            if known is not None and known is not rule:
                raise RuleLoadError(
                    f"rule {rule.id} stands in {known.__module__} and in {rule.__module__}; rename one"
                )
            found[rule.id] = rule
    return dict(sorted(found.items()))


def _modules(local_files: Iterable[str]) -> Iterator[ModuleType]:
    shelf = os.path.join(os.path.dirname(__file__), "rules")
    for file in sorted(os.listdir(shelf)):
        if file.endswith(".py") and file != "__init__.py":
            yield _import(f"rule {file}", f"esper_audit.rules.{file.removesuffix('.py')}")
    yield from _plugin_modules()
    for path in local_files:
        yield _load_file(path)


def _rules_of(module: ModuleType) -> list[type[Rule]]:
    rules = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Rule)
        and value.__module__ == module.__name__
    ]
    if not rules:
        raise RuleLoadError(f"{module.__file__} holds no subclass of esper_audit.rule.Rule")
    return rules


def _plugin_modules() -> Iterator[ModuleType]:
    """Import the modules that installed packages offer; `importlib.metadata` only if there is one."""
    if not any(_offers_rules(directory) for directory in sys.path):
        return
    from importlib.metadata import entry_points

    for entry_point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name):
        yield _import(f"plugin {entry_point.name}", entry_point.module)


def _offers_rules(directory: str) -> bool:
    try:
        names = os.listdir(directory or ".")
    except OSError:
        return False
    packages = (name for name in names if name.endswith((".dist-info", ".egg-info")))
    return any(_names_our_group(os.path.join(directory, name)) for name in packages)


def _names_our_group(package: str) -> bool:
    try:
        with open(os.path.join(package, "entry_points.txt"), "rb") as file:
            return f"[{ENTRY_POINT_GROUP}]".encode() in file.read()
    except OSError:
        return False


def _import(what: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    # Whatever a stranger's module raises at import is told as one thing: it does not load.
    except FAILURES as error:
        raise RuleLoadError(f"{what} does not load: {type(error).__name__}: {error}") from error


def _load_file(path: str) -> ModuleType:
    name = f"{LOCAL_RULES}.{os.path.basename(path).removesuffix('.py')}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not os.path.isfile(path):
        raise RuleLoadError(f"rule file {path}: no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and msgspec look their annotations up there
    try:
        spec.loader.exec_module(module)
    except EsperAuditError:
        raise
    # Whatever a stranger's module raises at import is told as one thing: it does not load.
    except FAILURES as error:
        raise RuleLoadError(
            f"rule file {path} does not load: {type(error).__name__}: {error}"
        ) from error
    return module
