"""The rule `legacy-marker`: a shim, a version toggle, a deprecated name or a reference to archived code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Options, Rule, Triggers, Valid, Violation
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, imported, terminal_name

OLD_NAME = re.compile(
    r"^_?(legacy|deprecated)_|_(old|legacy|deprecated|bak|backup)$", re.IGNORECASE
)
OLD_CLASS = re.compile(r"^_?(Legacy|Deprecated)[A-Z]|[a-z](Old|Legacy|Deprecated|Shim)$")
ARCHIVE = re.compile(
    r"(^|[./])_?(archive|archived|legacy|deprecated|graveyard)([./]|$)", re.IGNORECASE
)
WARNINGS = frozenset({"DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"})


class LegacyMarkerOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`allowed`: names of this kind that have another meaning in the project."""

    allowed: frozenset[str] = frozenset({"log_prob_old", "old_log_prob", "old_log_probs"})


class LegacyMarker(Rule):
    """The code carries something old along.

    What: a function or class named `x_old`, `legacy_x`, `LegacyX`, `XShim`; a warning of deprecation; a
    branch on the version of a library or of Python; an import from a module, or a path, called
    `archive`, `legacy` or `deprecated`.

    Why: each reader has to understand the old way as well, and each change has to keep it alive.

    Quiet: variables and parameters (`old_log_prob` is a value of the last step); the names of the
    option `allowed`.

    Tickets: deep dive 4
    """

    contract = "no-legacy"
    category = Category.LEGACY_POLICY
    severity = Severity.P4
    precision = "17 of 18 findings were correct (trl, gpytorch, lightning, kornia, timm and 5 more)"
    triggers = Triggers(
        nodes=frozenset({"FunctionDef", "ClassDef", "Import", "ImportFrom", "If", "IfExp"}),
        calls=frozenset({"warn", "deprecated"}),
        parts=frozenset(
            {"old", "Old", "egacy", "eprecat", "Shim", "rchive", "version", "bak", "orig"}
        )
        | frozenset({"FutureWarning", "graveyard", "backup"}),
    )
    Options = LegacyMarkerOptions
    options: LegacyMarkerOptions
    VALID = (
        Valid(
            "current names, values of the last step",
            """
            def fold(old_log_prob, threshold):
                old = old_log_prob.exp()
                return old / threshold


            def old_location(entry):
                return entry.place


            class Golden:
                pass
            """,
        ),
        Valid(
            "a warning of another kind, a version that is written, the decorator of the language",
            """
            import warnings
            from typing_extensions import deprecated


            def save(model):
                warnings.warn("no scheduler", UserWarning)
                return {"version": VERSION} if model.ready else {}
            """,
        ),
        Valid(
            "a name that the project allows",
            """
            def legacy_mode(x):
                return x
            """,
            options={"allowed": ["legacy_mode"]},
        ),
    )
    INVALID = (
        Invalid(
            "names",
            """
            def blend_old(x):
                return x


            class LegacySlot:
                def _legacy_step(self):
                    return 1
            """,
            (
                (1, "`blend_old` is kept beside something newer"),
                (5, "`LegacySlot` is kept beside something newer"),
                (6, "`_legacy_step` is kept beside something newer"),
            ),
        ),
        Invalid(
            "warnings, toggles and archives",
            """
            import sys
            import warnings

            import torch

            from pkg.archive.slots import Slot


            def step(x):
                warnings.warn("use advance", DeprecationWarning, stacklevel=2)
                if sys.version_info < (3, 12) or torch.__version__ < "2.9":
                    return Slot(x)
                return x
            """,
            (
                (6, "imports `pkg.archive.slots.Slot` from archived code"),
                (10, "warns of a deprecation instead of removing the old way"),
                (11, "branches on the version of `sys.version_info`"),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep definitions with such names, imports, branches and calls."""
        return [n for n in nodes if not isinstance(n, ast.ClassDef) or OLD_CLASS.search(n.name)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a definition, import, warning or branch that carries something old along."""
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            pattern = OLD_CLASS if isinstance(node, ast.ClassDef) else OLD_NAME
            if pattern.search(node.name) and node.name not in self.options.allowed:
                place = file.name_span(node)
                yield Violation(place, f"`{node.name}` is kept beside something newer")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found = (
                target for _, target in imported(node) if ARCHIVE.search(_module(target, node))
            )
            targets = list(found)
            if targets:
                yield Violation(node, f"imports `{targets[0]}` from archived code")
        elif isinstance(node, ast.Call):
            kinds = {terminal_name(a) for a in (*node.args, *(k.value for k in node.keywords))}
            if terminal_name(node.func) == "warn" and kinds & WARNINGS:
                yield Violation(node, "warns of a deprecation instead of removing the old way")
        elif isinstance(node, (ast.If, ast.IfExp)):
            versions = _versions(node.test)
            if versions:
                yield Violation(node.test, f"branches on the version of `{versions[0]}`")


def _module(target: str, node: ast.Import | ast.ImportFrom) -> str:
    """Return the module that an import reads, without the name that it takes from it."""
    return target if isinstance(node, ast.Import) else target.rpartition(".")[0]


def _versions(test: ast.expr) -> list[str]:
    """Return the versions that a condition compares, as they are written."""
    compared = (part for part in ast.walk(test) if isinstance(part, ast.Compare))
    sides = (side for part in compared for side in (part.left, *part.comparators))
    names = (dotted(n) for side in sides for n in ast.walk(side) if isinstance(n, ast.Attribute))
    return [
        n for n in names if n.rpartition(".")[2] in ("version_info", "__version__", "hexversion")
    ]
