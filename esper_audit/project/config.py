"""The configuration of a project: finding the file, reading it, and reporting its errors."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, get_args

import msgspec

from esper_audit.findings.errors import ConfigError, reason_of
from esper_audit.findings.finding import Severity
from esper_audit.project.config_search import common_directory, default_root, upwards
from esper_audit.project.config_tables import DATE, Config
from esper_audit.project.path_patterns import is_pattern
from esper_audit.project.toml_file import Key, line_of_key, read_toml
from esper_audit.text.phrases import did_you_mean

OWN_FILE = "esper-audit.toml"
PROJECT_FILE = "pyproject.toml"
TABLE = "esper-audit"
# The messages of msgspec.
UNKNOWN_KEY = re.compile(r"unknown field `([^`]*)`")
MISSING_KEY = re.compile(r"missing required field `([^`]*)`")
PATTERN_OF_DATE = (f"matching regex {DATE!r}", "as YYYY-MM-DD")
STEP = re.compile(r"([^.\[\]]+)(?![^\[]*\])|\[(\d+)\]")
WRONG_TYPE = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


class Project(msgspec.Struct, frozen=True):
    """A configuration, the root of its paths, and every file that the search for it looked up.

    `bases` are the files that it extends, the nearest first.
    """

    root: str
    config: Config
    file: str = ""
    searched_files: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()

    def resolve(self, path: str) -> str:
        """Return the absolute path of a path in the configuration."""
        return os.path.normpath(os.path.join(self.root, path))

    @property
    def local_rules(self) -> list[str]:
        """The files of the project's own rules, absolute."""
        return [self.resolve(path) for path in self.config.local_rules]


def find_project(paths: Iterable[str], config_file: str | None = None) -> Project:
    """Return the project with the nearest configuration at or above all `paths`, which are absolute.

    `config_file` is the configuration to use instead. Without a configuration the root is the nearest
    git repository or `pyproject.toml`, else the current directory if the paths are below it, else the
    directory of the paths. In the current directory without any of these only the given directories are
    the tree, not what happens to be beside them. Raises ConfigError.
    """
    given = list(paths)
    above = common_directory(given)
    if config_file is not None:
        root = os.path.dirname(os.path.abspath(config_file))
        config, bases = _read(config_file)
        return Project(root, config, config_file, (config_file, *bases), bases)
    searched: list[str] = []
    root = ""
    for directory in upwards(above):
        for name in (OWN_FILE, PROJECT_FILE):
            file = os.path.join(directory, name)
            searched.append(file)
            if os.path.isfile(file) and (name == OWN_FILE or _has_table(file)):
                config, bases = _read(file)
                return Project(directory, config, file, (*searched, *bases), bases)
            if not root and os.path.isfile(file):
                root = directory
        if not root and os.path.exists(os.path.join(directory, ".git")):
            root = directory
    if root or not all(map(os.path.isdir, given)):
        return Project(root or default_root(above), Config(), searched_files=tuple(searched))
    root = default_root(above)
    tree = [os.path.relpath(path, root) for path in given]
    config = Config(paths=tree) if tree else Config()
    return Project(root, config, searched_files=tuple(searched))


def split_rule_table(options: Mapping[str, Any]) -> tuple[dict[str, Any], Severity | None]:
    """Return the options and the severity of a `[tool.esper-audit.rules.ID]` table."""
    of_every_rule = ("severity", "fix")
    own = {k.replace("-", "_"): value for k, value in options.items() if k not in of_every_rule}
    severity = options.get("severity")
    return own, Severity(severity) if severity is not None else None


def place_in_config(file: str, path: Sequence[Key]) -> str:
    """Return `file:line` of a key in a configuration, the file alone if it does not have the key."""
    tables = ("tool", TABLE) if os.path.basename(file) == PROJECT_FILE else ()
    try:
        with open(file, encoding="utf-8") as stream:
            line = line_of_key(stream.read(), (*tables, *path))
    except (OSError, ValueError):
        return file
    return f"{file}:{line}" if line else file


def convert_table(
    value: object, kind: type[msgspec.Struct], locate: Callable[[Sequence[Key]], str]
) -> Any:
    """Return a parsed table as a struct.

    `locate` returns the place of a key below the table. Raises ConfigError with the place and the error.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text, _, at = str(error).partition(" - at `$")
        place = at.rstrip("`").strip(".")
        problem, key = _explanation(text, _table_at(kind, place))
        path = [name or int(number) for name, number in STEP.findall(place)]
        label = f"{place}: " if place else ""
        raise ConfigError(f"{locate([*path, *key])}: {label}{problem}") from error


def _explanation(text: str, kind: type[msgspec.Struct]) -> tuple[str, list[str]]:
    """Return what is wrong by a message of msgspec, and the unknown key that it names, if it does."""
    if unknown := UNKNOWN_KEY.search(text):
        known = [field.encode_name for field in msgspec.structs.fields(kind)]
        return f"unknown key '{unknown[1]}'{did_you_mean(unknown[1], known)}", [unknown[1]]
    if missing := MISSING_KEY.search(text):
        return f"missing key '{missing[1]}'", []
    if wrong := WRONG_TYPE.search(text):
        return f"wrong type (got {wrong[2]}, expected {wrong[1]})", []
    return f"invalid value ({text[:1].lower()}{text[1:]})".replace(*PATTERN_OF_DATE), []


def _table_at(kind: type[msgspec.Struct], place: str) -> type[msgspec.Struct]:
    """Return the struct of the table at a place, or of the entries of a list there, else the kind itself."""
    key = place.partition("[")[0]
    types = [f.type for f in msgspec.structs.fields(kind) if f.encode_name == key]
    parts = [part for found in types for part in (found, *get_args(found))]
    tables = (part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct))
    return next(tables, kind)


def own_tables(file: str) -> Mapping[str, Any]:
    """Return the tables of a configuration file that are of this program, unchecked."""
    tables = read_toml(file)
    return tables if os.path.basename(file) != PROJECT_FILE else _tool_tables(tables).get(TABLE, {})


def _read(file: str) -> tuple[Config, tuple[str, ...]]:
    """Return the configuration in a file, and the files that it extends."""
    tables = own_tables(file)
    bases: tuple[str, ...] = ()
    if isinstance(tables, Mapping) and "extend" in tables:
        from esper_audit.project.configuration.layers import extended_tables, merged_tables

        layers = extended_tables(file, own_tables)
        for place, found in reversed(layers):
            convert_table(found, Config, partial(place_in_config, place))
        tables, bases = merged_tables(layers), tuple(place for place, _ in layers[1:])
    config: Config = convert_table(tables, Config, partial(place_in_config, file))
    _validate(config, file)
    return config, bases


def _validate(config: Config, file: str) -> None:
    """Raise ConfigError for a pattern, a severity or a file of a configuration that is wrong."""
    for path, pattern in _patterns(config):
        if not is_pattern(pattern):
            raise ConfigError(
                f"{place_in_config(file, path)}: invalid pattern in exclude, path or roles"
                f" (got {pattern!r}, expected a pattern as in .gitignore)"
            )
    for rule, options in config.rules.items():
        severity = options.get("severity")
        if severity is not None and severity not in list(Severity):
            place = place_in_config(file, ("rules", rule, "severity"))
            raise ConfigError(
                f"{place}: rules.{rule}.severity: invalid value (got {severity!r}, expected P0 to P4)"
            )
        if not isinstance(options.get("fix", True), bool):
            place = place_in_config(file, ("rules", rule, "fix"))
            raise ConfigError(
                f"{place}: rules.{rule}.fix: wrong type (got {options['fix']!r}, expected true or false)"
            )
    folder = os.path.dirname(os.path.abspath(file))
    for path, problem in _missing_files(config, folder):
        raise ConfigError(f"{place_in_config(file, path)}: {path[0]}: {problem}")


def _patterns(config: Config) -> Iterator[tuple[list[Key], str]]:
    """Yield the patterns of a configuration, each with the path of its key."""
    roles = config.roles
    lists: list[tuple[list[Key], list[str]]] = [
        (["exclude"], config.exclude),
        (["roles", "test"], roles.test),
        (["roles", "script"], roles.script),
        (["roles", "example"], roles.example),
    ]
    for key, patterns in lists:
        yield from (([*key, position], pattern) for position, pattern in enumerate(patterns))
    for name, entries in (("per-path", config.per_path), ("allow", config.allow)):
        for position, path in enumerate(entry.path for entry in entries):
            yield [name, position, "path"], path


def _missing_files(config: Config, folder: str) -> Iterator[tuple[list[Key], str]]:
    """Yield what a configuration names and what does not exist: the path of its key, and the problem."""
    if not os.path.isdir(os.path.join(folder, config.templates)):
        yield ["templates"], f"no such folder (got {config.templates!r})"
    files: list[tuple[list[Key], str, str]] = [(["contracts"], config.contracts, config.contracts)]
    files += [(["local-rules", n], path, path) for n, path in enumerate(config.local_rules)]
    files += [(["subjects", n], s, _file_of_subjects(s)) for n, s in enumerate(config.subjects)]
    for key, value, path in files:
        if path and not os.path.isfile(os.path.join(folder, path)):
            yield key, f"no such file (got {value!r})"
    for number, source in enumerate(config.subjects):
        if not all(source.rpartition(":")):
            expected = "expected path/to/file.py:function or package.module:function"
            yield ["subjects", number], f"invalid value (got {source!r}, {expected})"


def _file_of_subjects(source: str) -> str:
    """Return the file of a function that yields subjects, empty if it is in a module that is imported."""
    path = source.rpartition(":")[0] or source
    return path if path.endswith(".py") else ""


def _has_table(file: str) -> bool:
    try:
        with open(file, "rb") as stream:
            if TABLE.encode() not in stream.read():
                return False
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {reason_of(error)}") from error
    return TABLE in _tool_tables(read_toml(file))


def _tool_tables(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `[tool]` tables of a pyproject, empty if `tool` is not a table."""
    tools = tables.get("tool")
    return tools if isinstance(tools, dict) else {}
