"""The rule `heavy-eager-import`: a package's `__init__` loads a heavy module that most importers do not need."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Collection, Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree import heavy_eager_import_cases as cases
from esper_audit.rules.tree_rule import TreeRule
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.usage.import_graph import IMPLICIT, PACKAGE, EagerImports, around_line
from esper_audit.source.usage.tree import Tree

HEAVY = (
    "torch", "torchvision", "torchaudio", "transformers", "diffusers", "datasets", "tensorflow", "jax",
    "pandas", "scipy", "sklearn", "matplotlib", "seaborn", "plotly", "bokeh", "cv2", "numba", "wandb",
    "mlflow", "tensorboard", "lightning", "pytorch_lightning", "onnx", "onnxruntime", "deepspeed",
    "ray", "pyarrow", "sympy", "IPython", "libcst",
)  # fmt: skip


class HeavyImportOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which modules are heavy, and how many importers a package needs for a report.

    `heavy`: dotted names of modules that are slow to load.
    `importers`: the minimal number of importers of the package.
    """

    heavy: tuple[str, ...] = HEAVY
    importers: int = 3


class HeavyEagerImport(TreeRule):
    """A package loads a heavy module that most of its importers do not need.

    What: an import at the top of a package's `__init__` that loads a heavy module (matplotlib,
    pandas, transformers, ...; the option `heavy`), directly or through other files, if more than
    half of the modules that import the package, or a part of it, would not load it otherwise.

    Why: every command, worker and test that needs one constant of the package waits for the
    library, and a machine without the library cannot import the package.

    Quiet: imports in functions, below `TYPE_CHECKING` or another condition, in a module-level
    `__getattr__`, or in a `try` that continues without the module; fewer importers than the option
    `importers`; importers that use a name of the import, or may load the heavy module in another
    way. Tests and modules that the package loads itself are not counted as importers.

    Tickets: real code
    """

    contract = "cheap-import"
    category = Category.PERFORMANCE
    severity = Severity.P4
    default = False
    precision = "6 of 9 findings were correct (8 packages)"

    Options = HeavyImportOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report each heavy module that a package loads and most importers do not need."""
        assert isinstance(self.options, HeavyImportOptions)
        imports = EagerImports(tree)
        for heavy in self.options.heavy:
            direct = imports.importers(heavy, surely=True)
            loading = imports.loaders(direct, surely=True) if direct else set()
            messages = {
                path: message
                for path in sorted(loading)
                if posixpath.basename(path) == PACKAGE
                and (message := self._message(tree, imports, path, heavy)) is not None
            }
            for path, message in messages.items():
                if path in imports.loaders(direct, without=messages.keys() - {path}, surely=True):
                    statement = _statement(tree, imports, path, heavy)
                    yield tree.at_node(path, statement, message)

    def _message(self, tree: Tree, imports: EagerImports, path: str, heavy: str) -> str | None:
        """Return the message with the importers that do not need a heavy module, or None if they are few."""
        assert isinstance(self.options, HeavyImportOptions)
        package = tree.index.store.module(path)
        assert package is not None
        if package.role is not Role.PRODUCTION:
            return None
        others = imports.loaders(imports.importers(heavy), without={path})
        lines = _lines(imports, path, heavy, others)
        if not lines:
            return None
        importers = _importers(tree, imports, package)
        names = _names_bound_on(tree, imports, path, lines)
        without_need = [
            u for u in importers if u.path not in others and not names & u.mentions.keys()
        ]
        are_many = len(without_need) * 2 > len(importers) >= self.options.importers
        if not are_many:
            return None
        return (
            f"importing `{package.name}` loads {heavy}, which {len(without_need)} of the "
            f"{len(importers)} importers of `{package.name}` do not need"
        )


def _lines(imports: EagerImports, path: str, heavy: str, others: Collection[str]) -> list[int]:
    """Return the lines of a file whose imports load a heavy module, as the `others` do without the file."""
    return [
        loading.line
        for loading in imports.of[path]
        if loading.line != IMPLICIT
        and (imports.is_import_of(loading, heavy) or any(file in others for file in loading.files))
    ]


def _statement(tree: Tree, imports: EagerImports, path: str, heavy: str) -> ast.stmt:
    """Return the first import of a file that loads a heavy module."""
    source = tree.source(path)
    assert source is not None
    others = imports.loaders(imports.importers(heavy), without={path})
    first = min(_lines(imports, path, heavy, others))
    return around_line(source, first)[-1]


def _importers(tree: Tree, imports: EagerImports, package: ModuleFacts) -> list[ModuleFacts]:
    """Return the modules except tests that load a package and are not loaded by it."""
    loaded = imports.loaded_by(package.path)
    directory = posixpath.dirname(package.path)
    found = []
    direct = imports.importers_of_file(package.path)
    for path in imports.of:
        unit = tree.index.store.module(path)
        is_importer = path.startswith(f"{directory}/") or path in direct
        if unit is not None and is_importer and unit.role is not Role.TEST and path not in loaded:
            found.append(unit)
    return found


def _names_bound_on(
    tree: Tree, imports: EagerImports, path: str, lines: list[int]
) -> frozenset[str]:
    """Return the names that the imports on some lines of a file bind."""
    source = tree.source(path)
    nodes = ast.walk(source.tree) if source is not None else iter(())
    named = {
        alias.asname or alias.name.partition(".")[0]
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if node.lineno in lines or alias.lineno in lines
    }
    stars = (loading.star for loading in imports.of[path] if loading.line in lines)
    return frozenset(named).union(*(_names_at_top(tree, star) for star in stars))


def _names_at_top(tree: Tree, path: str) -> set[str]:
    """Return the names that a module binds at its top, none for an empty path."""
    module = tree.index.store.module(path) if path else None
    return set(module.facts.scopes[0].bindings) if module is not None else set()
