"""The rule `heavy-eager-import`: a package's `__init__` loads a heavy module that most importers do not need."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.rule import Options
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.usage.import_graph import IMPLICIT, PACKAGE, EagerImports, around_line
from esper_audit.source.usage.tree import Tree

HEAVY = (
    "torch", "torchvision", "torchaudio", "transformers", "diffusers", "datasets", "tensorflow", "jax",
    "pandas", "scipy", "sklearn", "matplotlib", "seaborn", "plotly", "bokeh", "cv2", "numba", "wandb",
    "mlflow", "tensorboard", "lightning", "pytorch_lightning", "onnx", "onnxruntime", "deepspeed",
    "ray", "pyarrow", "sympy", "IPython", "libcst",
)  # fmt: skip
PLOT = "import matplotlib.pyplot as plt\n\n\ndef plot():\n    plt.show()\n"
SMALL = "def small():\n    return 1\n"
EAGER = "from p.plots import plot\nfrom p.small import small\n"
SAID = "importing `p` loads {}, which 3 of the {} modules that load it and do not come with it do not need"
THREE = {f"q{n}.py": "from p import small\n\nsmall()\n" for n in range(3)}


class HeavyImportOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`heavy`: dotted modules that are slow to load; `importers`: how many there must be."""

    heavy: tuple[str, ...] = HEAVY
    importers: int = 3


class HeavyEagerImport(TreeRule):
    """Importing a package loads what few of its importers need.

    What: an import at the top of a package's `__init__` that loads a heavy module (matplotlib, pandas,
    transformers, ...; the option `heavy`), directly or through other files, where more than half of
    the modules that import the package, or something in it, would not load it otherwise.

    Why: every command, worker and test that wants one constant of the package waits for the library,
    and a machine without it cannot import the package at all.

    Quiet: imports in functions, below `TYPE_CHECKING` or another condition, in a module-level
    `__getattr__`, or in a `try` that goes on without the module; fewer importers than the option
    `importers`; importers that use a name which comes with the import, or may load the heavy module on
    another way. Importers are not counted that are tests, or that the package loads itself.

    Tickets: real code
    """

    contract = "cheap-import"
    category = Category.PERFORMANCE
    severity = Severity.P4
    default = False
    precision = "6 of 9 read were right (8 packages)"

    Options = HeavyImportOptions

    VALID = (
        ValidTree(
            "most importers need it",
            {
                "p/__init__.py": EAGER,
                "p/plots.py": PLOT,
                "p/small.py": SMALL,
                **{f"q{n}.py": "from p import plot\n\nplot()\n" for n in range(3)},
            },
        ),
        ValidTree(
            "imported in a function",
            {
                "p/__init__.py": "from p.small import small\n\n\ndef plot():\n"
                "    from p.plots import plot\n\n    plot()\n",
                "p/plots.py": PLOT,
                "p/small.py": SMALL,
                **THREE,
            },
        ),
        ValidTree(
            "for the type checker",
            {
                "p/__init__.py": "from typing import TYPE_CHECKING\n\nfrom p.small import small\n\n"
                "if TYPE_CHECKING:\n    from p.plots import plot\n",
                "p/plots.py": PLOT,
                "p/small.py": SMALL,
                **THREE,
            },
        ),
        ValidTree(
            "loaded by the importers anyway",
            {
                "p/__init__.py": EAGER,
                "p/plots.py": PLOT,
                "p/small.py": SMALL,
                **{n: f"import matplotlib\n{t}" for n, t in THREE.items()},
            },
        ),
        ValidTree(
            "used where it is there",
            {
                "p/__init__.py": EAGER,
                "p/plots.py": "try:\n    import matplotlib\nexcept ImportError:\n    matplotlib = None\n",
                "p/small.py": SMALL,
                **THREE,
            },
        ),
        ValidTree(
            "its file is used where it can be",
            {
                "p/__init__.py": "from p.small import small\n\ntry:\n    from p.plots import plot\n"
                "except ModuleNotFoundError:\n    plot = None\n",
                "p/plots.py": PLOT,
                "p/small.py": SMALL,
                **THREE,
            },
        ),
        ValidTree(
            "its file is imported on a condition",
            {
                "p/__init__.py": "from p.small import can_plot, small\n\nif can_plot():\n"
                "    from p.plots import plot\n",
                "p/plots.py": PLOT,
                "p/small.py": f"{SMALL}\n\ndef can_plot():\n    return False\n",
                **THREE,
            },
        ),
        ValidTree(
            "two importers",
            {"p/__init__.py": EAGER, "p/plots.py": PLOT, "p/small.py": SMALL, "q.py": THREE["q0.py"]},
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree(
            "three want something else",
            {"p/__init__.py": EAGER, "p/plots.py": PLOT, "p/small.py": SMALL, **THREE},
            (
                (
                    "p/__init__.py",
                    1,
                    SAID.format("matplotlib", 3),
                ),
            ),
        ),
        InvalidTree(
            "an error that says what is missing",
            {
                "p/__init__.py": EAGER,
                "p/plots.py": "try:\n    import matplotlib\nexcept ImportError as missing:\n"
                "    raise ImportError('pip install matplotlib') from missing\n\n\ndef plot(): ...\n",
                "p/small.py": SMALL,
                **THREE,
            },
            (("p/__init__.py", 1, SAID.format("matplotlib", 3)),),
        ),
        InvalidTree(
            "a module of the project that is said to be heavy",
            {
                "p/__init__.py": "from p import world\nfrom p.small import small\n",
                "p/world.py": "X = 1\n",
                "p/small.py": SMALL,
                **THREE,
                "q3.py": "import p.world\n\nprint(p.world.X)\n",
            },
            (
                (
                    "p/__init__.py",
                    1,
                    SAID.format("p.world", 4),
                ),
            ),
            {"heavy": ["p.world"]},
        ),
    )

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report each heavy module that a package loads for few."""
        assert isinstance(self.options, HeavyImportOptions)
        imports = EagerImports(tree)
        for heavy in self.options.heavy:
            direct = imports.importers(heavy, surely=True)
            loading = imports.loaders(direct, surely=True) if direct else set()
            told = {
                path: message
                for path in sorted(loading)
                if posixpath.basename(path) == PACKAGE
                and (message := self._message(tree, imports, path, heavy)) is not None
            }
            for path, message in told.items():
                if path in imports.loaders(direct, without=told.keys() - {path}, surely=True):
                    statement = _statement(tree, imports, path, heavy)
                    yield tree.at_node(path, statement, message)

    def _message(self, tree: Tree, imports: EagerImports, path: str, heavy: str) -> str | None:
        """Say how many importers of a package load a heavy module for nothing; None if they are few."""
        assert isinstance(self.options, HeavyImportOptions)
        package = tree.index.store.module(path)
        assert package is not None
        others = imports.loaders(imports.importers(heavy), without={path})
        lines = _lines(imports, path, heavy)
        importers = _importers(tree, imports, package)
        names = _names_on(tree, path, lines)
        spared = [u for u in importers if u.path not in others and not names & u.mentions.keys()]
        are_many = len(spared) * 2 > len(importers) >= self.options.importers
        if package.role is not Role.PRODUCTION or not lines or not are_many:
            return None
        return (
            f"importing `{package.name}` loads {heavy}, which {len(spared)} of the "
            f"{len(importers)} modules that load it and do not come with it do not need"
        )


def _lines(imports: EagerImports, path: str, heavy: str) -> list[int]:
    """Return the lines of a file whose imports load a heavy module."""
    others = imports.loaders(imports.importers(heavy), without={path})
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
    first = min(_lines(imports, path, heavy))
    return around_line(source, first)[-1]


def _importers(tree: Tree, imports: EagerImports, package: ModuleFacts) -> list[ModuleFacts]:
    """Return the modules, tests aside, that cause a package to load and are not loaded by it."""
    loaded = imports.loaded_by(package.path)
    directory = posixpath.dirname(package.path)
    found = []
    for path, loadings in imports.of.items():
        unit = tree.index.store.module(path)
        is_inside = path.startswith(f"{directory}/")
        asks = is_inside or any(package.path in loading.files for loading in loadings)
        if unit is not None and asks and unit.role is not Role.TEST and path not in loaded:
            found.append(unit)
    return found


def _names_on(tree: Tree, path: str, lines: list[int]) -> frozenset[str]:
    """Return the names that the imports on some lines of a file bind."""
    source = tree.source(path)
    nodes = ast.walk(source.tree) if source is not None else iter(())
    return frozenset(
        alias.asname or alias.name.partition(".")[0]
        for node in nodes
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
        if node.lineno in lines or alias.lineno in lines
    )
