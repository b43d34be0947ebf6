"""The rule `missing-export`: a class that other packages use and its own package does not list."""

from __future__ import annotations

import ast
import posixpath
from collections import Counter
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import DefinitionKind, Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.syntax.enclosing import chain
from esper_audit.source.usage.tree import Tree

MOST = 3  # so many of a kind are a pattern
CLASS = "class Point: ...\n"
LISTED = "__all__ = ['Line']\nfrom p.line import Line\n"
BOUND = "__all__ = ['Line']\nfrom p.line import Line\nfrom p.a import Point\n"
LINE = "class Line: ...\n"
SAID = "`Point` is used by {} outside of `p` (first q/b.py), whose `__all__` leaves it out"
IMPORTED = " although the `__init__` imports it"
USER = "from p.a import Point\n\nPoint()\n"
SHAPES = "class Shape: ...\n\n\nclass Line(Shape): ...\n\n\nclass Disc(Shape): ...\n\n\nclass Ring(Shape): ...\n"
SHAPE = "from p.shapes import Shape\n\n\nclass Point(Shape):\n    pass\n"
ALL_SHAPES = (
    "__all__ = ['Disc', 'Line', 'Ring', 'Shape']\nfrom p.shapes import Disc, Line, Ring, Shape\n"
)


class MissingExportOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`all_used` tells of every class that others use and the list leaves out, forgotten or not."""

    all_used: bool = False


class MissingExport(TreeRule):
    """A class that other packages use has been forgotten in its package's `__all__`.

    What: a public class of production code that modules of other packages import, while the `__init__`
    of its own package has an `__all__` without it, although it imports the class, or although it lists
    all others of its kind (three at least that have the same base). The option `all_used` takes
    it for reason enough that others use a class.

    Why: `__all__` says what may be relied upon. What others import past it breaks without notice when
    the package is rearranged, and star imports and documentation leave it out.

    Quiet: packages without `__all__`, with one that lists no class, or whose listed names are mostly
    imported from their modules: there the list is not what people go by; private classes and packages;
    classes whose module, or whose enclosing package, lists them or is listed; classes that others
    derive from, or that say they are internal; imports marked `noqa`; a package below, a test, a
    script or an example that uses it; a use whose owner is not known. What only stands beside the
    list is left out on purpose.

    Tickets: real code
    """

    contract = "stated-surface"
    category = Category.API_CONTRACT
    severity = Severity.P4
    precision = (
        "2 of 2 were right, all there are in 37 packages (torchrl, flair); with `all_used` 1 of 46"
    )

    Options = MissingExportOptions

    VALID = (
        ValidTree(
            "listed",
            {
                "p/__init__.py": "__all__ = ['Point']\nfrom p.a import Point\n",
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "a package that lists nothing",
            {"p/__init__.py": "", "p/a.py": CLASS, "q/__init__.py": "", "q/b.py": USER},
        ),
        ValidTree(
            "used in its own package alone",
            {"p/__init__.py": LISTED, "p/line.py": LINE, "p/a.py": CLASS, "p/b.py": USER},
        ),
        ValidTree(
            "its module is listed",
            {
                "p/__init__.py": "__all__ = ['Line', 'a']\nfrom p import a\nfrom p.line import Line\n",
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "listed by the package around",
            {
                "o/__init__.py": "__all__ = ['Point']\nfrom o.p.a import Point\n",
                "o/p/__init__.py": "__all__ = ['Line']\nfrom o.p.line import Line\n",
                "o/p/line.py": LINE,
                "o/p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": "from o.p.a import Point\n\nPoint()\n",
            },
        ),
        ValidTree(
            "a list that nobody goes by",
            {
                "p/__init__.py": LISTED,
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": f"from p.line import Line\n{USER}\nLine()\n",
            },
        ),
        ValidTree(
            "its module is beside the list",
            {
                "p/__init__.py": LISTED,
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "imported for another reason",
            {
                "p/__init__.py": f"{BOUND.rstrip()}  # noqa: F401\n",
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "others of its kind are left out, too",
            {
                "p/__init__.py": ALL_SHAPES.replace("'Ring', ", ""),
                "p/shapes.py": SHAPES,
                "p/a.py": SHAPE,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "says that it is internal",
            {
                "p/__init__.py": ALL_SHAPES,
                "p/shapes.py": SHAPES,
                "p/a.py": SHAPE.replace("pass", "'A point, for internal use.'"),
                "q/__init__.py": "",
                "q/b.py": USER,
            },
        ),
        ValidTree(
            "others derive from it",
            {
                "p/__init__.py": ALL_SHAPES,
                "p/shapes.py": SHAPES,
                "p/a.py": SHAPE,
                "q/__init__.py": "",
                "q/b.py": "from p.a import Point\n\n\nclass Dot(Point):\n    pass\n",
            },
        ),
        ValidTree(
            "used by tests",
            {"p/__init__.py": BOUND, "p/line.py": LINE, "p/a.py": CLASS, "tests/test_a.py": USER},
        ),
    )
    INVALID = (
        InvalidTree(
            "used past a list that counts",
            {
                "p/__init__.py": LISTED,
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
            (("p/a.py", 1, SAID.format("one module")),),
            {"all_used": True},
        ),
        InvalidTree(
            "through an import that the list leaves out",
            {
                "p/__init__.py": BOUND,
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": "import p\n\np.Point()\n",
                "q/c.py": "from p import Point\n",
            },
            (("p/a.py", 1, SAID.format("2 modules") + IMPORTED),),
        ),
        InvalidTree(
            "all others of its kind are listed",
            {
                "p/__init__.py": ALL_SHAPES,
                "p/shapes.py": SHAPES,
                "p/a.py": SHAPE,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
            (
                (
                    "p/a.py",
                    4,
                    SAID.format("one module")
                    + " although it lists the 3 others that derive from `Shape`",
                ),
            ),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the classes that others use and no list names."""
        assert isinstance(self.options, MissingExportOptions)
        past = _past_the_lists(tree)
        for symbol in tree.in_scope(tree.index.all_symbols({DefinitionKind.CLASS})):
            package = _package(tree, symbol)
            if (
                package is None
                or past[package.path] > 0
                or "." in symbol.symbol
                or _is_listed(tree, symbol, package)
            ):
                continue
            reason = _reason(tree, symbol, package)
            is_told = reason or self.options.all_used
            users = _users(tree, symbol, package) if is_told else []
            if users:
                count = "one module" if len(users) == 1 else f"{len(users)} modules"
                message = (
                    f"`{symbol.short}` is used by {count} outside of `{package.name}` "
                    f"(first {users[0]}), whose `__all__` leaves it out{reason}"
                )
                yield tree.at_symbol(symbol, message)


def _reason(tree: Tree, symbol: Symbol, package: ModuleFacts) -> str:
    """Return why a class has been forgotten rather than left out; nothing if that is not seen."""
    hierarchy, top = tree.index.resolver.hierarchy, package.facts.scopes[0]
    if "internal" in _docstring(tree, symbol).lower():
        return ""
    if symbol.short in top.bindings.keys() - {*top.type_checking}:
        return "" if _is_marked(tree, symbol, package) else IMPORTED
    if hierarchy.subclasses(symbol.key):
        return ""
    exports = package.facts.exports or {}
    for base in hierarchy.order(symbol.key)[1:]:
        others = _others(tree, base, symbol, package)
        if len(others) >= MOST and all(other.short in exports for other in others):
            short = tree.index.of_key(base).short
            return f" although it lists the {len(others)} others that derive from `{short}`"
    return ""


def _is_marked(tree: Tree, symbol: Symbol, package: ModuleFacts) -> bool:
    """Return whether a package's import of a class is marked as one that linters shall not mind."""
    source = tree.source(package.path)
    imports = (m for m in package.mentions.get(symbol.short, ()) if m.use is Use.IMPORT)
    return source is not None and any("noqa" in source.lines[m.line - 1] for m in imports)


def _others(tree: Tree, base: str, symbol: Symbol, package: ModuleFacts) -> list[Symbol]:
    """Return the public classes of a package that derive from a base, but for one and those derived from."""
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


def _past_the_lists(tree: Tree) -> Counter[str]:
    """Count by package how many more imports of listed names go to its modules than to the package."""
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
    """Return the `__init__` of the package of a symbol, if its list has a class and everything is public."""
    package = tree.index.store.module(_init(posixpath.dirname(symbol.path)))
    if package is None or not package.facts.exports or not symbol.short[:1].isupper():
        return None
    names = package.facts.exports
    lists_a_class = any(name[:1].isupper() and not name.isupper() for name in names)
    is_public = not any(part.startswith("_") for part in package.name.split("."))
    return package if lists_a_class and is_public else None


def _is_listed(tree: Tree, symbol: Symbol, package: ModuleFacts) -> bool:
    """Return whether a package from the outermost to its own lists a class, or the module of it."""
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
    """Return the files of other packages, in production, that use a class."""
    own = posixpath.dirname(package.path)
    paths = {
        hit.module.path
        for hit in tree.reference_table.certain(symbol)
        if hit.role is Role.PRODUCTION and not hit.module.path.startswith(f"{own}/")
    }
    return sorted(path for path in paths if not own.startswith(f"{posixpath.dirname(path)}/"))


def _init(directory: str) -> str:
    return f"{directory}/__init__.py" if directory else "__init__.py"
