"""The configuration: found upwards from what is audited, read strictly, then trusted."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec

from esper_audit.findings.errors import ConfigError
from esper_audit.findings.finding import Severity
from esper_audit.project.discovery import is_pattern
from esper_audit.project.file_roles import DEFAULT_ROLES
from esper_audit.text.phrases import did_you_mean

OWN_FILE = "esper-audit.toml"
PROJECT_FILE = "pyproject.toml"
TABLE = "esper-audit"
Text = Annotated[str, msgspec.Meta(min_length=1)]
Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]


class ConfigTable(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True
):
    """A table of the configuration: its keys are known and typed."""


class PerPath(ConfigTable, frozen=True, kw_only=True):
    """Checks switched on or off below some paths (patterns as in .gitignore)."""

    path: Text
    select: list[str] = []
    ignore: list[str] = []


class Allow(ConfigTable, frozen=True, kw_only=True):
    """An exception: findings of `check` at these places are authorised by `owner` for a reason."""

    check: Text
    path: Text
    reason: Text
    owner: Text
    symbol: str = "*"
    until: Date | None = None


class Expect(ConfigTable, frozen=True, kw_only=True):
    """A promise that is known to be broken: by which detector (the record's `code`) and why.

    Strict: another code is a failure, and a promise that holds again is one too.
    """

    probe: Text
    subject: Text
    code: Text
    reason: Text
    state: str = "*"
    until: Date | None = None


class Probing(ConfigTable, frozen=True, kw_only=True):
    """What a probe may use: wall-clock seconds, memory in MiB, and processes at a time (0 chooses)."""

    seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    memory: Annotated[int, msgspec.Meta(ge=1024)] = 3072
    workers: Annotated[int, msgspec.Meta(ge=0)] = 0


class Checking(ConfigTable, frozen=True, kw_only=True):
    """What the rules may cost for one file: wall-clock seconds, and resident memory in MiB."""

    seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    memory: Annotated[int, msgspec.Meta(ge=64)] = 512


class RolePaths(ConfigTable, frozen=True, kw_only=True):
    """Which files are tests, scripts and examples (patterns as in .gitignore); the rest is production."""

    test: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["test"]))
    script: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["script"]))
    example: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["example"]))


class Import(ConfigTable, frozen=True, kw_only=True):
    """How `ticket import` reads paths: prefixes of another tree, and what stands for them in this one."""

    map: dict[str, str] = {}


class Config(ConfigTable, frozen=True, kw_only=True):
    """Everything that `[tool.esper-audit]` can hold; the defaults are what an unconfigured tree gets.

    `select` are the checks to run instead of those that are on by default, `extend_select` further ones.
    """

    paths: list[str] = msgspec.field(default_factory=lambda: ["."])
    exclude: list[str] = []
    select: list[str] = []
    extend_select: list[str] = []
    ignore: list[str] = []
    local_rules: list[str] = []
    contracts: str = ""
    tickets: Text = "tickets"
    reports: Text = "reports"
    templates: str = ""
    per_path: list[PerPath] = []
    allow: list[Allow] = []
    subjects: list[Text] = []
    expect: list[Expect] = []
    probing: Probing = Probing()
    checking: Checking = Checking()
    rules: dict[str, dict[str, Any]] = {}
    roles: RolePaths = RolePaths()
    imports: Import = msgspec.field(default_factory=Import, name="import")


class Project(msgspec.Struct, frozen=True):
    """A configuration, the directory its paths are relative to, and every file that was looked for."""

    root: str
    config: Config
    file: str = ""
    probed: tuple[str, ...] = ()

    def resolve(self, path: str) -> str:
        """Return a path of the configuration as an absolute one."""
        return os.path.normpath(os.path.join(self.root, path))

    @property
    def local_rules(self) -> list[str]:
        """The files of the project's own rules, absolute."""
        return [self.resolve(path) for path in self.config.local_rules]


def find_project(paths: Iterable[str], named: str | None = None) -> Project:
    """Return the project of the paths (absolute): the nearest configuration at or above all of them.

    Without one the root is the nearest git repository or `pyproject.toml`, else the current directory
    if it holds the paths, else the paths' own directory.
    """
    above = _common_directory(list(paths))
    if named is not None:
        return Project(os.path.dirname(os.path.abspath(named)), _read(named), named, (named,))
    probed: list[str] = []
    root = ""
    for directory in _upwards(above):
        for name in (OWN_FILE, PROJECT_FILE):
            file = os.path.join(directory, name)
            probed.append(file)
            if os.path.isfile(file) and (name == OWN_FILE or _has_table(file)):
                return Project(directory, _read(file), file, tuple(probed))
            if not root and os.path.isfile(file):
                root = directory
        if not root and os.path.exists(os.path.join(directory, ".git")):
            root = directory
    return Project(root or _root_without_marks(above), Config(), probed=tuple(probed))


def rule_settings(options: Mapping[str, Any]) -> tuple[dict[str, Any], Severity | None]:
    """Split a `[tool.esper-audit.rules.ID]` table into the rule's own options and its severity."""
    own = {key.replace("-", "_"): value for key, value in options.items() if key != "severity"}
    severity = options.get("severity")
    return own, Severity(severity) if severity is not None else None


def strict(value: object, kind: type[msgspec.Struct], where: str) -> Any:
    """Convert a parsed table to a struct; what does not fit is a ConfigError that says where and what."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explained(str(error), kind)}") from error


def _explained(message: str, kind: type[msgspec.Struct]) -> str:
    unknown = re.search(r"unknown field `([^`]*)`(?: - at `\$(.*)`)?", message)
    if unknown is None:
        return message
    key, at = unknown.group(1), unknown.group(2) or ""
    owner = _table_at(kind, at)
    known = [field.encode_name for field in msgspec.structs.fields(owner)]
    place = f" in `{at.strip('.')}`" if at else ""
    return f"unknown key '{key}'{place}{did_you_mean(key, known)}"


def _table_at(kind: type[msgspec.Struct], at: str) -> type[msgspec.Struct]:
    nested: dict[str, type[msgspec.Struct]] = {
        "per-path": PerPath,
        "allow": Allow,
        "expect": Expect,
        "probing": Probing,
        "checking": Checking,
        "roles": RolePaths,
        "import": Import,
    }
    return nested.get(at.strip(".").split("[")[0], kind)


def _read(file: str) -> Config:
    tables = _load(file)
    own = tables if os.path.basename(file) != PROJECT_FILE else _tools(tables).get(TABLE, {})
    config: Config = strict(own, Config, file)
    patterns = [
        *config.exclude,
        *(e.path for e in config.per_path),
        *(a.path for a in config.allow),
        *config.roles.test,
        *config.roles.script,
        *config.roles.example,
    ]
    for pattern in patterns:
        if not is_pattern(pattern):
            raise ConfigError(
                f"{file}: {pattern!r} is no pattern as in .gitignore (exclude, path or roles)"
            )
    for rule, options in config.rules.items():
        severity = options.get("severity")
        if severity is not None and severity not in list(Severity):
            raise ConfigError(f"{file}: rules.{rule}.severity is {severity!r}, wanted P0 to P4")
    return config


def _load(file: str) -> dict[str, Any]:
    try:
        with open(file, "rb") as stream:
            return tomllib.load(stream)
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is not TOML: {error}") from error


def _has_table(file: str) -> bool:
    try:
        with open(file, "rb") as stream:
            if TABLE.encode() not in stream.read():
                return False
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror or error}") from error
    return TABLE in _tools(_load(file))


def _tools(tables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the `[tool]` tables of a pyproject; one of another shape holds nothing of ours."""
    tools = tables.get("tool")
    return tools if isinstance(tools, dict) else {}


def _upwards(directory: str) -> Iterable[str]:
    yield directory
    while (parent := os.path.dirname(directory)) != directory:
        directory = parent
        yield directory


def _common_directory(paths: list[str]) -> str:
    if not paths:
        return os.getcwd()
    common = os.path.commonpath(paths)
    return common if os.path.isdir(common) else os.path.dirname(common)


def _root_without_marks(above: str) -> str:
    here = os.getcwd()
    return here if above == here or above.startswith(here.rstrip(os.sep) + os.sep) else above
