"""The cases of the rule `unused-type`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

POINT = """\
from dataclasses import dataclass


@dataclass
class _Point:
    x: int
"""

VALID = (
    ValidTree(
        "a type in an annotation",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int


                def f(p: _Point): ...
            """,
        },
    ),
    ValidTree(
        "a quoted annotation",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int


                def f(p: 'list[_Point]'): ...
            """,
        },
    ),
    ValidTree(
        "a type that is called",
        {
            "a.py": POINT,
            "b.py": """
                import a

                a._Point(1)
            """,
        },
    ),
    ValidTree(
        "used only by tests",
        {
            "a.py": POINT,
            "tests/test_a.py": """
                from a import _Point

                _Point(1)
            """,
        },
    ),
    ValidTree(
        "a base",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int


                class Space(_Point): ...


                Space(1)
            """,
        },
    ),
    ValidTree(
        "exported",
        {
            "a.py": """
                __all__ = ['_Point']
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
            """,
        },
    ),
    ValidTree(
        "exported by its package", {"p/__init__.py": "from .a import _Point\n", "p/a.py": POINT}
    ),
    ValidTree(
        "exported by a star import of its package",
        {
            "p/__init__.py": "from ._a import *\n",
            "p/_a.py": """
                from dataclasses import dataclass


                @dataclass
                class Point:
                    x: int
            """,
        },
    ),
    ValidTree("named in a string", {"a.py": POINT, "b.py": "KINDS = {'kind': 'a._Point'}\n"}),
    ValidTree(
        "read by getattr",
        {
            "a.py": POINT,
            "b.py": """
                import a

                getattr(a, '_Point')
            """,
        },
    ),
    ValidTree(
        "a used member",
        {
            "a.py": """
                import enum


                class _E(enum.Enum):
                    A = 1


                _E.A
            """,
        },
    ),
    ValidTree(
        "registered by a decorator",
        {
            "a.py": """
                @register('x')
                @dataclass
                class _Point: ...
            """,
        },
    ),
    ValidTree(
        "collected by a base",
        {
            "a.py": """
                class B:
                    def __init_subclass__(cls): ...


                class _C(B): ...
            """,
        },
    ),
    ValidTree(
        "found by __subclasses__",
        {
            "a.py": """
                class B: ...


                class _C(B): ...


                B.__subclasses__()
            """,
        },
    ),
    ValidTree(
        "found by issubclass",
        {
            "a.py": """
                class B: ...


                class _C(B): ...
            """,
            "b.py": """
                from a import B


                def f(v):
                    return issubclass(v, B)
            """,
        },
    ),
    ValidTree("with a metaclass", {"a.py": "class _C(metaclass=Registry): ...\n"}),
    ValidTree(
        "documented in a private module of a library",
        {
            "p/__init__.py": "",
            "p/_a.py": """
                class Net:
                    'A net.'
            """,
        },
    ),
    ValidTree(
        "declared unused by a noqa",
        {
            "a.py": """
                from typing import Protocol


                class _Sized(Protocol):  # noqa: PYI046
                    x: int
            """,
        },
    ),
    ValidTree("a template", {"templates/net.py": "class _MyNet: ...\n"}),
    ValidTree("a stub file", {"a.pyi": "class _Net: ...\n"}),
    ValidTree(
        "assigned to an attribute of a class",
        {
            "a.py": """
                class _Stop(Exception): ...


                class Session:
                    _Stop = _Stop
            """,
        },
    ),
    ValidTree("a public class of a library", {"p/__init__.py": "", "p/a.py": "class Net: ...\n"}),
    ValidTree(
        "a public type of a library",
        {
            "p/__init__.py": "",
            "p/a.py": """
                from dataclasses import dataclass


                @dataclass
                class Point:
                    x: int
            """,
        },
    ),
    ValidTree(
        "a private name in a configuration", {"a.py": POINT, "conf/run.yaml": "kind: a._Point\n"}
    ),
    ValidTree(
        "kept for users of earlier versions",
        {
            "a.py": """
                class _Old:
                    'Deprecated: old pickles name it.'
            """,
        },
    ),
    ValidTree(
        "a base of another package, which may collect its subclasses",
        {
            "a.py": """
                import lib


                class _Plugin(lib.Plugin): ...
            """,
        },
    ),
    ValidTree(
        "a nested class",
        {
            "a.py": """
                class Model:
                    class _Meta: ...
            """,
        },
    ),
    ValidTree("a type of the tests", {"tests/test_a.py": POINT}),
    ValidTree(
        "an entry point",
        {
            "a.py": "class _Plugin: ...\n",
            "pyproject.toml": """
                [project.scripts]
                x = 'a:_Plugin'
            """,
        },
    ),
    ValidTree(
        "an object of unknown class with that name",
        {
            "a.py": POINT,
            "b.py": """
                def f(m):
                    return m._Point(1)
            """,
        },
    ),
    ValidTree(
        "an alias",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int


                Spot = _Point
            """,
            "b.py": """
                from a import Spot

                Spot(1)
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "a public type of an application",
        {
            "pyproject.toml": """
                [project.scripts]
                app = 'app.cli:main'
            """,
            "app/__init__.py": "",
            "app/cli.py": """
                def main():
                    return 0
            """,
            "app/a.py": """
                from dataclasses import dataclass


                @dataclass
                class Point:
                    x: int
            """,
        },
        (("app/a.py", 5, "the dataclass `Point` is defined and never used"),),
    ),
    InvalidTree(
        "a public class in a private module",
        {"p/__init__.py": "", "p/_a.py": "class Net: ...\n"},
        (("p/_a.py", 1, "the class `Net` is defined and never used"),),
    ),
    InvalidTree(
        "a dataclass without instances",
        {
            "a.py": POINT,
            "b.py": """
                from a import _Point

                x = 1
            """,
        },
        (("a.py", 5, "the dataclass `_Point` is defined and never used"),),
    ),
    InvalidTree(
        "a private class that a document describes",
        {"a.py": POINT, "docs/bug.md": "Nothing makes an `a._Point`.\n"},
        (("a.py", 5, "the dataclass `_Point` is defined and never used"),),
    ),
    InvalidTree(
        "a typed dict and a private class",
        {
            "a.py": """
                from typing import TypedDict


                class _Row(TypedDict):
                    x: int


                class _Old: ...
            """,
        },
        (
            ("a.py", 4, "the typed-dict `_Row` is defined and never used"),
            ("a.py", 8, "the class `_Old` is defined and never used"),
        ),
    ),
    InvalidTree(
        "a type that is named only in its own body",
        {
            "a.py": """
                from typing import NamedTuple


                class _Node(NamedTuple):
                    next: '_Node'
            """,
        },
        (("a.py", 4, "the named-tuple `_Node` is defined and never used"),),
    ),
    InvalidTree(
        "an unrelated used class with the same name",
        {
            "a.py": POINT,
            "b.py": """
                class _Point: ...


                _Point()
            """,
        },
        (("a.py", 5, "the dataclass `_Point` is defined and never used"),),
    ),
)
