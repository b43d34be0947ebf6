"""The tables of the configuration: their keys, types and defaults."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from esper_audit.findings.contract import Profile
from esper_audit.findings.finding import Severity
from esper_audit.project.file_roles import DEFAULT_ROLES

NonEmptyText = Annotated[str, msgspec.Meta(min_length=1)]
DATE = r"^\d{4}-\d{2}-\d{2}$"
Date = Annotated[str, msgspec.Meta(pattern=DATE)]


class ConfigTable(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True
):
    """A table of the configuration with known, typed keys."""


class PathSelection(ConfigTable, frozen=True, kw_only=True):
    """Checks that are on or off below a path, a pattern as in .gitignore, and their severity there."""

    path: NonEmptyText
    select: list[str] = []
    ignore: list[str] = []
    severity: dict[str, Severity] = {}


class AllowedFinding(ConfigTable, frozen=True, kw_only=True):
    """An exception: the findings of `check` at a path and symbol, authorised by `owner` for a reason.

    More than `most` findings are themselves a finding: the exception has grown.
    """

    check: NonEmptyText
    path: NonEmptyText
    reason: NonEmptyText
    owner: NonEmptyText
    symbol: str = "*"
    until: Date | None = None
    most: Annotated[int, msgspec.Meta(ge=1)] | None = None


class SuppressionPolicy(ConfigTable, frozen=True, kw_only=True):
    """What a suppression needs beside its reason, and how many days before its end it is announced."""

    require_owner: bool = False
    require_expiry: bool = False
    warn_days: Annotated[int, msgspec.Meta(ge=0)] = 14


class ExpectedFailure(ConfigTable, frozen=True, kw_only=True):
    """An expected failure of a probe: the detector `code`, or a list of detectors, and the reason.

    The subject of a monitor of training runs is a file and a function, `train.py:fit`.
    A failure of another detector stays a failure, and a pass becomes one.
    """

    probe: NonEmptyText
    subject: NonEmptyText
    code: NonEmptyText | list[NonEmptyText]
    reason: NonEmptyText
    state: str = "*"
    until: Date | None = None


class ProbeLimits(ConfigTable, frozen=True, kw_only=True):
    """The limits of a probe: wall-clock seconds, memory in MiB, number of processes (0 = automatic).

    `slow` is whether promises to slow probes are measured without a request by name, `possible` whether failures
    that few maintainers would mend are findings of discovered classes without one.
    """

    seconds: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    memory: Annotated[int, msgspec.Meta(ge=1024)] = 3072
    workers: Annotated[int, msgspec.Meta(ge=0)] = 0
    slow: bool = False
    possible: bool = False


class FileLimits(ConfigTable, frozen=True, kw_only=True):
    """What the rules may cost for one file: wall-clock seconds, and added resident memory in MiB."""

    seconds: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    memory: Annotated[int, msgspec.Meta(ge=64)] = 512


class RolePaths(ConfigTable, frozen=True, kw_only=True):
    """The patterns, as in .gitignore, of tests, scripts and examples.

    Other files are production code.
    """

    test: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["test"]))
    script: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["script"]))
    example: list[str] = msgspec.field(default_factory=lambda: list(DEFAULT_ROLES["example"]))


class SupportedVersions(ConfigTable, frozen=True, kw_only=True):
    """The releases that the project runs on, such as `>=2.1`, where its packaging does not state them."""

    python: str = ""
    torch: str = ""


class ImportOptions(ConfigTable, frozen=True, kw_only=True):
    """The paths of `ticket import`: prefixes of another tree, and their replacements in this tree."""

    map: dict[str, str] = {}


class Config(ConfigTable, frozen=True, kw_only=True):
    """The keys of `[tool.esper-audit]` with their defaults.

    `select` are the checks to run instead of the default ones, `extend_select` additional checks.
    `policies` are the contracts that the project adopts beside those of its profile.
    `discover` are packages and paths whose module classes are probed without a declaration, `preload` are
    modules to import before them. `recipes` is the file of recipes.
    `extend` is a configuration file, relative to this one, whose values hold where this one has none: own lists
    replace its lists, but tables of paths and exceptions are added.
    An `application` has no users outside the tree, apart from those of the packages in `library`.
    """

    extend: str = ""
    profile: Profile = "default"
    policies: list[str] = []
    paths: list[str] = msgspec.field(default_factory=lambda: ["."])
    exclude: list[str] = []
    select: list[str] = []
    extend_select: list[str] = []
    ignore: list[str] = []
    local_rules: list[str] = []
    contracts: str = ""
    tickets: NonEmptyText = "tickets"
    reports: NonEmptyText = "reports"
    templates: str = ""
    per_path: list[PathSelection] = []
    allow: list[AllowedFinding] = []
    suppressions: SuppressionPolicy = SuppressionPolicy()
    subjects: list[NonEmptyText] = []
    discover: list[NonEmptyText] = []
    preload: list[NonEmptyText] = []
    recipes: NonEmptyText = "recipes.yaml"
    expect: list[ExpectedFailure] = []
    probing: ProbeLimits = ProbeLimits()
    checking: FileLimits = FileLimits()
    versions: SupportedVersions = SupportedVersions()
    rules: dict[str, dict[str, Any]] = {}
    application: bool = False
    library: list[NonEmptyText] = []
    roles: RolePaths = RolePaths()
    imports: ImportOptions = msgspec.field(default_factory=ImportOptions, name="import")

    @property
    def libraries(self) -> frozenset[str] | None:
        """The packages with users outside the tree, None if every package may have some."""
        return frozenset(self.library) if self.application or self.library else None
