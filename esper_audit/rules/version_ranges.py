"""The releases of torch and Python that a rule concerns, and those that a project runs on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec

from esper_audit.project.config_tables import Config
from esper_audit.project.packaging import project_table

PYTHON, TORCH = "python", "torch"
PART = re.compile(
    r"(?P<sign>>=|<=|==|~=|!=|>|<|\^)\s*v?(?P<release>\d+(?:\.\d+)*)(?P<any>\.\*)?[\w.+-]*"
)
REQUIREMENT = re.compile(r"\s*torch\s*(?:\[[^\]]*\])?\s*\(?(?P<range>[^;@)]*)", re.IGNORECASE)
Release = tuple[int, ...]
NEWEST: Release = (10**6,)


class RangeEnd(NamedTuple):
    """An end of a range: a release, and how far it lies beyond it (-1 just before, 1 just after)."""

    release: Release
    beside: int = 0


class VersionRange(msgspec.Struct, frozen=True):
    """The releases between two ends that belong to it."""

    first: RangeEnd = RangeEnd((), -1)
    last: RangeEnd = RangeEnd(NEWEST)

    def overlaps(self, other: VersionRange) -> bool:
        """Return whether some release belongs to both."""
        return max(self.first, other.first) <= min(self.last, other.last)


def parse_range(text: str) -> VersionRange:
    """Return the range of a specifier such as `>=2.1,<3`.

    Raises:
        ValueError: it is none.
    """
    found = VersionRange()
    for part in filter(None, (part.strip() for part in text.split(","))):
        match = PART.fullmatch(part)
        if match is None:
            raise ValueError(f"no range of versions (got '{part}', expected such as >=2.1)")
        one = _range_of(match["sign"], match["release"], bool(match["any"]))
        found = VersionRange(max(found.first, one.first), min(found.last, one.last))
    return found


def _range_of(sign: str, text: str, is_prefix: bool) -> VersionRange:
    """Return the range of one part, where `!=` leaves out nothing."""
    numbers = tuple(int(number) for number in text.split("."))
    release = _without_zeros(numbers)
    until = {
        "==": RangeEnd(_next(numbers), -1) if is_prefix else RangeEnd(release),
        "~=": RangeEnd(_next(numbers[:-1] or numbers), -1),
        "^": RangeEnd(_next(release[: _significant(release)]), -1),
        "<": RangeEnd(release, -1),
        "<=": RangeEnd(release),
    }
    since = {">": RangeEnd(release, 1), **dict.fromkeys((">=", "==", "~=", "^"), RangeEnd(release))}
    return VersionRange(since.get(sign, RangeEnd((), -1)), until.get(sign, RangeEnd(NEWEST)))


def _without_zeros(numbers: Release) -> Release:
    """Return a release without zeros at its end: 2.0 is 2."""
    while numbers and not numbers[-1]:
        numbers = numbers[:-1]
    return numbers


def _next(release: Release) -> Release:
    """Return the first release that does not begin like one."""
    return (*release[:-1], release[-1] + 1) if release else NEWEST


def _significant(release: Release) -> int:
    """Return how many numbers of a release `^` keeps."""
    return next((at + 1 for at, number in enumerate(release) if number), len(release))


def configured_versions(config: Config) -> dict[str, str]:
    """Return the ranges of Python and torch that a configuration states."""
    stated = {PYTHON: config.versions.python, TORCH: config.versions.torch}
    return {package: versions for package, versions in stated.items() if versions}


def supported_versions(root: str, configured: Mapping[str, str]) -> dict[str, str]:
    """Return the ranges of Python and torch that a project runs on, as far as it states them.

    `configured` goes before `requires-python` and the requirement of torch in `pyproject.toml`.
    """
    project = project_table(root)
    python = project.get("requires-python")
    stated = {PYTHON: python} if isinstance(python, str) else {}
    torch = next((match["range"] for match in _torch_requirements(project)), "")
    return {**stated, **({TORCH: torch.strip()} if torch.strip() else {}), **configured}


def _torch_requirements(project: Mapping[str, Any]) -> Iterator[re.Match[str]]:
    """Yield the requirements of torch, those of the package itself first."""
    extras = project.get("optional-dependencies")
    lists = [project.get("dependencies"), *(extras.values() if isinstance(extras, dict) else ())]
    for requirements in lists:
        for one in requirements if isinstance(requirements, list) else ():
            match = REQUIREMENT.match(one) if isinstance(one, str) else None
            name_ends = match is not None and not re.match(r"\s*torch[\w.-]", one, re.IGNORECASE)
            if match is not None and name_ends:
                yield match


class Versioned(Protocol):
    """What concerns some releases of torch and Python, all where it names none."""

    @property
    def torch_versions(self) -> str:
        """The releases of torch."""

    @property
    def python_versions(self) -> str:
        """The releases of Python."""


def versions_of(rule: Versioned) -> dict[str, str]:
    """Return the ranges that a rule names, by package."""
    named = {PYTHON: rule.python_versions, TORCH: rule.torch_versions}
    return {package: versions for package, versions in named.items() if versions}


def version_conflict(needed: Mapping[str, str], supported: Mapping[str, str]) -> str:
    """Return why no release that a project runs on is one that a rule concerns, empty if some is."""
    for package in sorted(needed.keys() & supported.keys()):
        try:
            runs_on = parse_range(supported[package])
        except ValueError:  # a requirement in words of its own leaves the rule on
            continue
        if not parse_range(needed[package]).overlaps(runs_on):
            return f"concerns {package} {needed[package]}, and the project runs on {supported[package]}"
    return ""
