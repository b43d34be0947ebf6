"""The rule `list-mirrors-enum`: a literal list or table repeats an enum and has drifted from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import list_mirrors_enum_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.idioms.duplication.name_tables import (
    Enumeration,
    NameTable,
    differences,
    enumerations,
    is_for_columns,
    is_for_validation,
    lookups,
    name_tables,
    registrations,
    registries,
)
from esper_audit.source.usage.tree import Tree

MOST_NAMED = 3


class ListMirrorsEnumOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`subsets`: also report lists that only lack or only add names, whatever they are for."""

    subsets: bool = False


class ListMirrorsEnum(TreeRule):
    """A literal list or table repeats an enum, a Protocol or a registry and has drifted from it.

    What: a table that is read by `TABLE[stage]` and lacks some of the members of the enum whose
    members are its keys; a list of strings that repeats most names or values of an enum, most keys of a
    `TypedDict`, members of a `Protocol` or names that a decorator registers
    (`@registry.register("conv")`), and both lacks
    some and adds others where the module or a class keeps it, or lacks some and refuses them
    (`if x not in NAMES: raise`, `choices=`).

    Why: the enum got a member and the list did not: the new stage raises a KeyError, or its name is
    refused, in the one run that uses it.

    Quiet: complete lists; a table that code asks for a key first (`in`, `get`), and members that the
    function around the look-up deals with itself; lists of strings that only lack names, which are mostly
    subsets on purpose (with the option `subsets` they are reported); titles in a function; fewer than
    three common names; tests.

    Tickets: real code
    """

    contract = "declared-types"
    category = Category.CORRECTNESS
    severity = Severity.P3
    precision = (
        "0 findings in 8 packages (monai, lightning, ultralytics, axolotl, nemo_toolkit and 3 more) "
        "after mending, 0 of 1 before; TypedDicts, Protocols and registries are not measured yet"
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    options: ListMirrorsEnumOptions
    Options = ListMirrorsEnumOptions

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the lists and tables of production code that lack or add members."""
        units = (unit for unit in tree.index.modules() if unit.role is Role.PRODUCTION)
        paths = sorted(unit.path for unit in units)
        enums = [
            (path, found)
            for path in paths
            if (source := tree.source(path)) is not None
            for found in enumerations(source.tree)
        ]
        registered = [
            (path, decorator, name)
            for path in paths
            if (source := tree.source(path)) is not None and "register" in source.text
            for decorator, name in registrations(source.tree)
        ]
        enums += registries(registered)
        for path in paths if enums else ():
            source = tree.source(path)
            for table in name_tables(source.tree) if source is not None else ():
                message = self._message(table, source.tree, enums) if source is not None else ""
                if message:
                    yield tree.at_node(path, table.node, message)

    def _message(
        self, table: NameTable, parsed: ast.Module, enums: list[tuple[str, Enumeration]]
    ) -> str:
        """Return how a table differs from the enum that it repeats, empty if it does not."""
        if table.owner:
            named = [(p, e) for p, e in enums if e.name == table.owner and e.kind == "enum"]
            return _incomplete(table, parsed, *named[0]) if len(named) == 1 else ""
        for path, enum in enums:
            for names in (enum.members, enum.values, tuple(m.lower() for m in enum.members)):
                found = differences(table.texts, names)
                if found is None:
                    continue
                if not found[0] and not found[1]:
                    return ""
                lacks, adds = found
                is_changed = table.is_shared and 0 < len(adds) <= len(lacks)
                is_drift = is_changed or self.options.subsets
                is_refused = is_for_validation(table, parsed) or (
                    enum.kind == "TypedDict" and is_for_columns(table, parsed, enum.name)
                )
                if is_drift or (lacks and is_refused):
                    wrong = [*_words("lacks", lacks), *_words("adds", adds)]
                    found_in = f"repeats the {enum.kind} `{enum.name}` of {path}"
                    return f"{found_in} and {' and '.join(wrong)}. Make it from the {enum.kind}."
        return ""


def _incomplete(table: NameTable, parsed: ast.Module, path: str, enum: Enumeration) -> str:
    """Return which members a table lacks that is read by any of them."""
    lacks = [name for name in enum.members if name not in table.members]
    is_mostly = len(table.members) > len(lacks)
    if not lacks or not is_mostly or not isinstance(table.node, ast.Dict):
        return ""
    handled = {
        node.attr
        for node in ast.walk(parsed)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith(enum.name)
    }
    open_members = [name for name in lacks if name not in handled]
    if not open_members or not lookups(table, parsed):
        return ""
    (wrong,) = _words("lacks", open_members)
    return f"is read by members of `{enum.name}` of {path} and {wrong}. Add what it lacks."


def _words(verb: str, names: list[str]) -> list[str]:
    shown = ", ".join(f"`{name}`" for name in names[:MOST_NAMED])
    more = " ..." if len(names) > MOST_NAMED else ""
    return [f"{verb} {shown}{more}"] if names else []
