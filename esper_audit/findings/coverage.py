"""How far discovery came with each module class of a package: found, built, run, checked."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence

import msgspec


class Stage(enum.StrEnum):
    """The last stage that a class reached."""

    FOUND = "found"
    BUILT = "built"
    FED = "fed"  # it runs, but its output does not depend on the input
    RUN = "run"
    CHECKED = "checked"


class RecipeOrigin(enum.StrEnum):
    """Where a recipe comes from, the best first."""

    DECLARED = "declared"
    RECORDED = "recorded"
    CALL_SITE = "call site"
    DEFAULT = "default"
    GUESSED = "guessed"


STAGES = tuple(Stage)
NOT_CHECKED = "not checked within the budget"  # a property of a class, with the contracts


class ClassCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """A discovered class: its stage, the origin of its recipe, and why it went no further.

    `properties` are observations that are no findings, such as sampling by name. `unstable` counts the
    failures whose reproducer did not reproduce them. `stale` names a known recipe that does not run.
    `is_base` is of a class that leaves its forward to others, which nothing can run.
    """

    name: str
    path: str
    line: int
    stage: Stage
    origin: RecipeOrigin = RecipeOrigin.GUESSED
    reason: str = ""
    advice: str = ""
    properties: tuple[str, ...] = ()
    unstable: tuple[str, ...] = ()
    stale: str = ""
    is_base: bool = False

    def has_reached(self, stage: Stage) -> bool:
        """Return whether the class reached a stage."""
        return STAGES.index(self.stage) >= STAGES.index(stage)


class Coverage(msgspec.Struct, frozen=True):
    """The discovered classes of all targets, and the modules that could not be imported.

    `cached` is the number of classes whose result is that of an earlier run, `unchanged` of those that
    were not looked at because nothing that they use changed since a revision, `interrupted` of those that
    were not looked at because the run was interrupted. `classes` holds neither of the latter two.
    """

    classes: list[ClassCoverage]
    not_importable: dict[str, str] = {}
    cached: int = 0
    unchanged: int = 0
    interrupted: int = 0

    @property
    def concrete(self) -> list[ClassCoverage]:
        """Return the classes that can run: those with a forward of their own or of a base."""
        return [one for one in self.classes if not one.is_base]

    def count(self, stage: Stage, origin: RecipeOrigin | None = None) -> int:
        """Return the number of classes that reached a stage, by recipes of one origin or of all."""
        return sum(
            one.has_reached(stage) and (origin is None or one.origin is origin)
            for one in self.concrete
        )

    def origins(self) -> list[RecipeOrigin]:
        """Return the origins of recipes that occur."""
        found = {one.origin for one in self.concrete if one.has_reached(Stage.BUILT)}
        return [origin for origin in RecipeOrigin if origin in found]

    def reasons(self) -> list[tuple[str, int]]:
        """Return why classes did not run, with their number, the most frequent first."""
        missed = [one for one in self.concrete if not one.has_reached(Stage.RUN)]
        return Counter(one.reason for one in missed if one.reason).most_common()


def coverage_numbers(coverage: Coverage) -> dict[str, object]:
    """Return the coverage as plain data for JSON: numbers, the same by origin, and each class."""
    return {
        **_numbers(coverage, None),
        "by_origin": {origin: _numbers(coverage, origin) for origin in coverage.origins()},
        "bases": len(coverage.classes) - len(coverage.concrete),
        "classes": coverage.classes,
        "not_importable": coverage.not_importable,
        "cached": coverage.cached,
        "unchanged": coverage.unchanged,
        "interrupted": coverage.interrupted,
    }


def _numbers(coverage: Coverage, origin: RecipeOrigin | None) -> dict[str, int]:
    stages: Sequence[tuple[str, Stage]] = (
        ("built", Stage.BUILT),
        ("ran", Stage.RUN),
        ("checked", Stage.CHECKED),
    )
    numbers = {name: coverage.count(stage, origin) for name, stage in stages}
    return numbers if origin else {"found": len(coverage.concrete), **numbers}
