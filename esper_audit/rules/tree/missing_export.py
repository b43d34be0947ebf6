"""The rule `missing-export`: a class that other packages use and its own package does not list."""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import missing_export_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.usage.tree import Tree

LEAST_SUBCLASSES = 3  # so many listed subclasses are a pattern
IMPORTED = ", although the `__init__` imports it"


class MissingExportOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`all_used`: report every used class that the list omits, also without a sign of an oversight."""

    all_used: bool = False


class MissingExport(TreeRule):
    """A class that other packages use is missing from the `__all__` of its package.

    What: a public class of production code that modules of other packages import, if the `__init__`
    of its own package has an `__all__` without it, although it imports the class or lists all other
    classes with the same base (at least three). With the option `all_used`, use by others is
    sufficient.

    Why: `__all__` lists the names that other code may rely on. Other names break without notice when
    the package is rearranged, and star imports and documentation omit them.

    Quiet: packages without `__all__`, with one that lists no class, or whose listed names are mostly
    imported from their modules, which shows that the list is not in use; private classes and
    packages; classes whose module, or whose enclosing package, lists them or is listed; classes that
    have subclasses or are declared internal; imports with `noqa`; a subpackage, a test, a script or
    an example that uses it; a use whose owner is not known. A class that is merely not listed counts
    as omitted on purpose.

    Tickets: real code
    """

    contract = "stated-surface"
    category = Category.API_CONTRACT
    severity = Severity.P4
    precision = (
        "2 of 2 findings in 37 packages were correct (torchrl, flair); with `all_used` 1 of 46"
    )

    Options = MissingExportOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the classes that other packages use and no list contains."""
        assert isinstance(self.options, MissingExportOptions)
        bypassing = _imports_past_the_lists(tree)
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            package = _package(tree, symbol)
            if (
                package is None
                or bypassing[package.path] > 0
                or "." in symbol.symbol
                or _is_listed(tree, symbol, package)
            ):
                continue
            reason = _reason(tree, symbol, package)
            is_reported = reason or self.options.all_used
            users = _users(tree, symbol, package) if is_reported else []
            if users:
                count = "one module" if len(users) == 1 else f"{len(users)} modules"
                message = (
                    f"`{symbol.short}` is used by {count} outside `{package.name}` "
                    f"(first {users[0]}), but the `__all__` of `{package.name}` omits it{reason}"
                )
                yield tree.at_symbol(symbol, message)


def _reason(tree: Tree, symbol: Symbol, package: ModuleFacts) -> str:
    """Return the sign of an oversight as text, or an empty string."""
    hierarchy, top = tree.index.resolver.hierarchy, package.facts.scopes[0]
    if "internal" in _docstring(tree, symbol).lower():
        return ""
    if symbol.short in top.bindings.keys() - {*top.type_checking}:
        return "" if _has_noqa(tree, symbol, package) else IMPORTED
    if hierarchy.subclasses(symbol.key):
        return ""
    exports = package.facts.exports or {}
    for base in hierarchy.order(symbol.key)[1:]:
        others = _others(tree, base, symbol, package)
        if len(others) >= LEAST_SUBCLASSES and all(other.short in exports for other in others):
            short = tree.index.of_key(base).short
            return f", although it lists the {len(others)} other subclasses of `{short}`"
    return ""


def _has_noqa(tree: Tree, symbol: Symbol, package: ModuleFacts) -> bool:
    """Return whether a package's import of a class has a `noqa` comment."""
    source = tree.source(package.path)
    imports = (m for m in package.mentions.get(symbol.short, ()) if m.use is Use.IMPORT)
    return source is not None and any("noqa" in source.lines[m.line - 1] for m in imports)


def _others(tree: Tree, base: str, symbol: Symbol, package: ModuleFacts) -> list[Symbol]:
    """Return the public classes of a package that derive from a base, without one and without bases."""
    hierarchy = tree.index.resolver.hierarchy
    others = [
        tree.index.of_key(key)
        for key in hierarchy.subclasses(base)
        if not hierarchy.subclasses(key)
    ]
    own = posixpath.dirname(package.path)
    return [
        other
        for other in others
        if other.key != symbol.key
        and not other.is_private
        and "." not in other.symbol
        and posixpath.dirname(other.path) == own
    ]


def _docstring(tree: Tree, symbol: Symbol) -> str:
    source = tree.source(symbol.path)
    around = chain(source.tree, symbol.line, symbol.column - 1) if source is not None else []
    classes = [node for node in around if isinstance(node, ast.ClassDef)]
    return next((ast.get_docstring(c) or "" for c in classes if c.name == symbol.short), "")


def _imports_past_the_lists(tree: Tree) -> Counter[str]:
    """Count by package the imports of listed names from its modules minus those from the package."""
    modules, found = tree.index.store.module_names, Counter[str]()
    for unit in tree.index.modules():
        imports = (m.path.name for m in unit.facts.mentions if m.use is Use.IMPORT)
        for path, rest in filter(None, (modules.resolve(target, unit.path) for target in imports)):
            init = _init(posixpath.dirname(path))
            package = tree.index.store.module(init) if len(rest) == 1 else None
            is_outside = not unit.path.startswith(f"{posixpath.dirname(path)}/")
            if package is not None and is_outside and rest[0] in (package.facts.exports or {}):
                found[init] += 1 if path != init else -1
    return found


def _package(tree: Tree, symbol: Symbol) -> ModuleFacts | None:
    """Return the `__init__` of a symbol's public package if its list contains a class, or None."""
    package = tree.index.store.module(_init(posixpath.dirname(symbol.path)))
    if package is None or not package.facts.exports or not symbol.short[:1].isupper():
        return None
    names = package.facts.exports
    has_class = any(name[:1].isupper() and not name.isupper() for name in names)
    is_public = not any(part.startswith("_") for part in package.name.split("."))
    return package if has_class and is_public else None


def _is_listed(tree: Tree, symbol: Symbol, package: ModuleFacts) -> bool:
    """Return whether the package of a class, or an enclosing one, lists the class or its module."""
    module = symbol.name.removesuffix(f".{symbol.symbol}").rpartition(".")[2]
    exports = package.facts.exports or {}
    if symbol.short in exports or module in exports:
        return True
    directory = posixpath.dirname(package.path)
    while directory := posixpath.dirname(directory):
        above = tree.index.store.module(_init(directory))
        if above is not None and symbol.short in (above.facts.exports or {}):
            return True
    return False


def _users(tree: Tree, symbol: Symbol, package: ModuleFacts) -> list[str]:
    """Return the production files of other packages that use a class."""
    own = posixpath.dirname(package.path)
    paths = {
        hit.module.path
        for hit in tree.reference_table.certain(symbol)
        if hit.role is Role.PRODUCTION and not hit.module.path.startswith(f"{own}/")
    }
    return sorted(path for path in paths if not own.startswith(f"{posixpath.dirname(path)}/"))


def _init(directory: str) -> str:
    return f"{directory}/__init__.py" if directory else "__init__.py"
