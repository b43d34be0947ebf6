"""The cases of the rule `unwired-function`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

APPLICATION = """\
[project.scripts]
app = 'app.cli:main'
"""

VALID = (
    ValidTree(
        "called",
        {
            "a.py": """
                def _f():
                    return 1


                X = _f()
            """,
        },
    ),
    ValidTree(
        "in a table",
        {
            "a.py": """
                def _f():
                    return 1


                TABLE = {'f': _f}
            """,
        },
    ),
    ValidTree(
        "public in a library",
        {
            "p/__init__.py": "",
            "p/a.py": """
                def f():
                    return 1
            """,
        },
    ),
    ValidTree(
        "exported by an application",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/b/__init__.py": """
                __all__ = ['f']
                from app.b.a import f
            """,
            "app/b/a.py": """
                def f():
                    return 1
            """,
        },
    ),
    ValidTree(
        "public in a library that comes with a script",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "from app.a import A\n",
            "app/a.py": """
                class A: ...


                def f():
                    return 1
            """,
        },
    ),
    ValidTree(
        "kept for users of earlier versions",
        {
            "a.py": """
                def _f():
                    # compatibility: old pickles name it
                    return 1
            """,
        },
    ),
    ValidTree(
        "a public method that public classes inherit from a private one",
        {
            "p/__init__.py": "from .a import B\n",
            "p/a.py": """
                class _A:
                    def f(self):
                        return 1


                class B(_A): ...


                B()
            """,
        },
    ),
    ValidTree(
        "a public method of a private object of a library",
        {
            "p/__init__.py": "",
            "p/a.py": """
                class _Bar:
                    def lock(self):
                        return 1


                bar = _Bar()
            """,
        },
    ),
    ValidTree(
        "a public method of a class inside a function of a library",
        {
            "a.py": """
                class _A:
                    def __init__(self):
                        class B:
                            def f(self):
                                return 1

                        self.b = B()


                a = _A()
            """,
        },
    ),
    ValidTree(
        "a mixin that overrides a method of another base",
        {
            "a.py": """
                class _Mixin:
                    def _f(self):
                        return 1


                class A:
                    def _f(self):
                        return 2

                    def g(self):
                        return self._f()


                class B(_Mixin, A): ...


                B().g()
            """,
        },
    ),
    ValidTree(
        "a mixin for a base outside the tree",
        {
            "a.py": """
                import lib


                class _Mixin:
                    def _f(self):
                        return 1


                class B(_Mixin, lib.Base): ...


                B()
            """,
        },
    ),
    ValidTree(
        "an override in a class that is rebound to its own name",
        {
            "a.py": """
                class A:
                    def _f(self): ...

                    def g(self):
                        self._f()


                class B(A):
                    def _f(self):
                        return 1


                B = B
                B().g()
            """,
        },
    ),
    ValidTree(
        "in a private module that its package exports",
        {
            "p/__init__.py": "from p._draw import plot\n",
            "p/_draw/__init__.py": "",
            "p/_draw/plot.py": """
                def bars(x):
                    return _bar(x)


                def _bar(x):
                    return x
            """,
        },
    ),
    ValidTree(
        "called by a notebook",
        {
            "a.py": """
                class A:
                    def _repr_html_(self):
                        return self._rows()

                    def _rows(self):
                        return 1


                A()
            """,
        },
    ),
    ValidTree(
        "declared to be for debugging",
        {
            "a.py": """
                def _dump(x):
                    'Save x; a debugging aid.'
                    return x
            """,
        },
    ),
    ValidTree(
        "documented in a private module of a library",
        {
            "p/__init__.py": "",
            "p/_a.py": """
                def f(x):
                    'Return one.'
                    return 1
            """,
        },
    ),
    ValidTree(
        "called by a deprecated function",
        {
            "a.py": """
                def _f():
                    return 1


                def _g():
                    # deprecated
                    return _f()
            """,
        },
    ),
    ValidTree(
        "possibly called on an object of another class",
        {
            "a.py": """
                class A:
                    def _f(self):
                        return 1


                class B:
                    def _f(self):
                        return 2


                def g(x: A):
                    return x._f(), B


                g(A())
            """,
        },
    ),
    ValidTree(
        "an entry point",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/cli.py": """
                def main():
                    return 0
            """,
        },
    ),
    ValidTree(
        "registered",
        {
            "a.py": """
                @register('f')
                def _f():
                    return 1
            """,
        },
    ),
    ValidTree(
        "a stub",
        {
            "a.py": """
                def _f():
                    raise NotImplementedError
            """,
        },
    ),
    ValidTree(
        "a hook of a base outside the tree",
        {
            "a.py": """
                import lib


                class A(lib.Base):
                    def _hook(self):
                        return 1
            """,
        },
    ),
    ValidTree(
        "a hook of torch",
        {
            "a.py": """
                from torch import nn


                class A(nn.Module):
                    def _load_from_state_dict(self, state):
                        return state


                A()
            """,
        },
    ),
    ValidTree(
        "an override",
        {
            "a.py": """
                class A:
                    def _f(self): ...

                    def g(self):
                        self._f()


                class B(A):
                    def _f(self):
                        return 1


                B().g()
            """,
        },
    ),
    ValidTree(
        "a composed name",
        {
            "a.py": """
                class A:
                    def _go_left(self):
                        return 1

                    def go(self, way):
                        return getattr(self, f'_go_{way}')()


                A().go('left')
            """,
        },
    ),
    ValidTree(
        "called on an object of unknown class",
        {
            "a.py": """
                class A:
                    def _f(self):
                        return 1


                A()
            """,
            "b.py": """
                def f(x):
                    x._f()
            """,
        },
    ),
    ValidTree(
        "a public name in the documentation of an application",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/cli.py": """
                def main():
                    return 0


                def migrate():
                    return 1
            """,
            "docs/use.md": "Call `app.cli.migrate()` first.\n",
        },
    ),
    ValidTree(
        "a private name in the code of a notebook",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "use.ipynb": '{"cells": [{"cell_type": "code", "source": ["from a import _f\\n", "_f()"]}]}',
        },
    ),
    ValidTree(
        "called below a directory that only an empty `__init__` makes a package",
        {
            "pyproject.toml": APPLICATION,
            "src/__init__.py": "",
            "src/app/__init__.py": "",
            "src/app/core.py": """
                def start():
                    return 0
            """,
            "src/app/cli.py": """
                from app.core import start


                def main():
                    return start()
            """,
        },
    ),
    ValidTree(
        "a private name in a shell script",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "run.sh": "python -c 'import a; a._f()'  # the first step\n",
        },
    ),
    ValidTree(
        "named in a configuration",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "conf/run.yaml": "step: a._f\n",
        },
    ),
    ValidTree(
        "called by code in a string",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "b.py": "RUN = 'import a; a._f(1)'\n",
        },
    ),
    ValidTree(
        "a method of an object that is passed to code outside the tree",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/cli.py": """
                import sys


                class Quiet:
                    def write(self, text):
                        return 0


                def main():
                    sys.stdout = Quiet()
            """,
        },
    ),
    ValidTree(
        "called on instances of a base outside the tree",
        {
            "a.py": """
                from torch.optim import Optimizer


                class Slow(Optimizer):
                    def _swap(self):
                        return 1


                def f(x):
                    if isinstance(x, Optimizer):
                        x._swap()


                f(Slow())
            """,
        },
    ),
    ValidTree(
        "called by a script",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "scripts/run.py": """
                import a

                a._f()
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "below a directory that only an empty `__init__` makes a package",
        {
            "pyproject.toml": APPLICATION,
            "src/__init__.py": "",
            "src/app/__init__.py": "",
            "src/app/core.py": """
                def start():
                    return 0


                def never():
                    return 1
            """,
            "src/app/cli.py": """
                from app.core import start


                def main():
                    return start()
            """,
        },
        (("src/app/core.py", 5, "nothing reaches `never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method that a document describes",
        {
            "a.py": """
                class Slot:
                    def _never(self):
                        return 1


                Slot()
            """,
            "docs/bug.md": "Nothing calls `Slot._never`.\n",
        },
        (("a.py", 2, "nothing reaches `Slot._never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method in a document's block of code",
        {
            "a.py": """
                class Slot:
                    def _never(self):
                        return 1


                Slot()
            """,
            "notes.rst": """
                It is dead::

                    Slot()._never()
            """,
            "todo.txt": "remove _never\n",
        },
        (("a.py", 2, "nothing reaches `Slot._never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method in a comment of a configuration",
        {
            "a.py": """
                class Slot:
                    def _never(self):
                        return 1


                Slot()
            """,
            "conf/run.yaml": """
                step: a.Slot  # not _never
                # _never
            """,
        },
        (("a.py", 2, "nothing reaches `Slot._never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method in the text of a notebook",
        {
            "a.py": """
                class Slot:
                    def _never(self):
                        return 1


                Slot()
            """,
            "n.ipynb": '{"cells": [{"cell_type": "markdown", "source": ["`_never` is dead"]}]}',
        },
        (("a.py", 2, "nothing reaches `Slot._never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method in a sentence of the program",
        {
            "a.py": """
                class Slot:
                    def _never(self):
                        return 1


                Slot()
            """,
            "b.py": "print('nobody has called _never since then, and it shows')\n",
        },
        (("a.py", 2, "nothing reaches `Slot._never`: it is defined and never used"),),
    ),
    InvalidTree(
        "a method of a private class, whose name is a word of the documentation",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/cli.py": """
                class _Slot:
                    def never(self):
                        return 1


                def main():
                    _Slot()
                    return 0
            """,
            "README.md": "This will never happen.\n",
        },
        (("app/cli.py", 2, "nothing reaches `_Slot.never`: it is defined and never used"),),
    ),
    InvalidTree(
        "never mentioned",
        {
            "a.py": """
                def _f():
                    return 1
            """,
        },
        (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
    ),
    InvalidTree(
        "reached only by tests",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "tests/test_a.py": """
                from a import _f


                def test_f():
                    assert _f()
            """,
        },
        (("a.py", 1, "only tests reach `_f`: production code does not"),),
    ),
    InvalidTree(
        "reached by itself and another unreached function",
        {
            "a.py": """
                def _f(n):
                    return n and _f(n - 1)


                def _g():
                    return _f(1)
            """,
        },
        (
            ("a.py", 1, "only `_g` reaches `_f`, and nothing reaches `_g`"),
            ("a.py", 5, "nothing reaches `_g`: it is defined and never used"),
        ),
    ),
    InvalidTree(
        "imported and not used",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "b.py": "from a import _f\n",
        },
        (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
    ),
    InvalidTree(
        "public in an application",
        {
            "pyproject.toml": APPLICATION,
            "app/__init__.py": "",
            "app/cli.py": """
                def main():
                    return 0


                def never():
                    return 1
            """,
        },
        (("app/cli.py", 5, "nothing reaches `never`: it is defined and never used"),),
    ),
    InvalidTree(
        "named in files that the audit wrote",
        {
            "a.py": """
                def _f():
                    return 1
            """,
            "tickets/x.yaml": "symbol: _f\n",
        },
        (("a.py", 1, "nothing reaches `_f`: it is defined and never used"),),
    ),
    InvalidTree(
        "a private method of a module that is used",
        {
            "a.py": """
                from torch import nn


                class A(nn.Module):
                    def forward(self, x):
                        return x

                    def _init(self):
                        return 1


                A()
            """,
        },
        (("a.py", 8, "nothing reaches `A._init`: it is defined and never used"),),
    ),
)
