"""The rule `missing-export`: a class that other packages use and its own package does not list."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator

from esper_audit.facts import DefinitionKind, Use
from esper_audit.finding import Category, NotAnalysed, Severity
from esper_audit.reference import Symbol
from esper_audit.role import Role
from esper_audit.tree import Tree
from esper_audit.tree_rule import InvalidTree, TreeRule, TreeViolation, ValidTree
from esper_audit.unit import Unit

CLASS = "class Point: ...\n"
LISTED = "__all__ = ['Line']\nfrom p.line import Line\n"
LINE = "class Line: ...\n"
SAID = "`Point` is used by {} outside of `p` (first q/b.py), whose `__all__` leaves it out"
USER = "from p.a import Point\n\nPoint()\n"


class MissingExport(TreeRule):
    """A class that other packages use is not in its package's `__all__`.

    What: a public class of production code that modules of other packages import, while the `__init__`
    of its own package has an `__all__` without it.

    Why: `__all__` says what may be relied upon. What others import past it breaks without notice when
    the package is rearranged, and star imports and documentation leave it out.

    Quiet: packages without `__all__`, with one that lists no class, or whose listed names are mostly
    imported from their modules: there the list is not what people go by; private classes and packages;
    classes whose module, or whose enclosing package, lists them or is listed; a package below, a test,
    a script or an example that uses it; a use whose owner is not known.

    Tickets: real code
    """

    contract = "stated-surface"
    category = Category.API_CONTRACT
    severity = Severity.P4
    default = False
    precision = "its findings on real packages have not been read yet"

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
            "used by tests",
            {"p/__init__.py": LISTED, "p/line.py": LINE, "p/a.py": CLASS, "tests/test_a.py": USER},
        ),
    )
    INVALID = (
        InvalidTree(
            "another package goes past the list",
            {
                "p/__init__.py": LISTED,
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": USER,
            },
            (
                (
                    "p/a.py",
                    1,
                    SAID.format("one module"),
                ),
            ),
        ),
        InvalidTree(
            "through an import that the list leaves out",
            {
                "p/__init__.py": f"{LISTED}from p.a import Point\n",
                "p/line.py": LINE,
                "p/a.py": CLASS,
                "q/__init__.py": "",
                "q/b.py": "import p\n\np.Point()\n",
                "q/c.py": "from p import Point\n",
            },
            (
                (
                    "p/a.py",
                    1,
                    SAID.format("2 modules"),
                ),
            ),
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report the classes that others use and no list names."""
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
            users = _users(tree, symbol, package)
            if users:
                count = "one module" if len(users) == 1 else f"{len(users)} modules"
                message = (
                    f"`{symbol.short}` is used by {count} outside of `{package.module}` "
                    f"(first {users[0]}), whose `__all__` leaves it out"
                )
                yield tree.at_symbol(symbol, message)


def _past_the_lists(tree: Tree) -> Counter[str]:
    """Count by package how many more imports of listed names go to its modules than to the package."""
    modules, found = tree.index.store.modules, Counter[str]()
    for unit in tree.index.units():
        imports = (m.path[1:] for m in unit.facts.mentions if m.use is Use.IMPORT)
        for path, rest in filter(None, (modules.resolve(target, unit.path) for target in imports)):
            init = _init(posixpath.dirname(path))
            package = tree.index.store.unit(init) if len(rest) == 1 else None
            is_outside = not unit.path.startswith(f"{posixpath.dirname(path)}/")
            if package is not None and is_outside and rest[0] in (package.facts.exports or {}):
                found[init] += 1 if path != init else -1
    return found


def _package(tree: Tree, symbol: Symbol) -> Unit | None:
    """Return the `__init__` of the package of a symbol, if its list has a class and everything is public."""
    package = tree.index.store.unit(_init(posixpath.dirname(symbol.path)))
    if package is None or not package.facts.exports or not symbol.short[:1].isupper():
        return None
    names = package.facts.exports
    lists_a_class = any(name[:1].isupper() and not name.isupper() for name in names)
    is_public = not any(part.startswith("_") for part in package.module.split("."))
    return package if lists_a_class and is_public else None


def _is_listed(tree: Tree, symbol: Symbol, package: Unit) -> bool:
    """Say whether a package from the outermost to its own lists a class, or the module of it."""
    module = symbol.name.removesuffix(f".{symbol.symbol}").rpartition(".")[2]
    exports = package.facts.exports or {}
    if symbol.short in exports or module in exports:
        return True
    directory = posixpath.dirname(package.path)
    while directory := posixpath.dirname(directory):
        above = tree.index.store.unit(_init(directory))
        if above is not None and symbol.short in (above.facts.exports or {}):
            return True
    return False


def _users(tree: Tree, symbol: Symbol, package: Unit) -> list[str]:
    """Return the files of other packages, in production, that use a class."""
    own = posixpath.dirname(package.path)
    paths = {
        hit.unit.path
        for hit in tree.uses.certain(symbol)
        if hit.role is Role.PRODUCTION and not hit.unit.path.startswith(f"{own}/")
    }
    return sorted(path for path in paths if not own.startswith(f"{posixpath.dirname(path)}/"))


def _init(directory: str) -> str:
    return f"{directory}/__init__.py" if directory else "__init__.py"
