"""The cases of the rule `field-never-read`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

MESSAGE = "`_Point.y` is set and never read"

VALID = (
    ValidTree(
        "read as an attribute",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x + p.y
            """,
        },
    ),
    ValidTree(
        "read by asdict",
        {
            "a.py": """
                from dataclasses import asdict
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                asdict(f)
            """,
        },
    ),
    ValidTree(
        "offered by its package",
        {
            "p/__init__.py": "from .a import _Point\n",
            "p/a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
            """,
        },
    ),
    ValidTree(
        "a result that users of a library read",
        {
            "p/__init__.py": "",
            "p/a.py": """
                from dataclasses import dataclass


                @dataclass
                class Point:
                    x: int
                    y: int


                def f():
                    p = Point(1, 2)
                    return p.x
            """,
        },
    ),
    ValidTree(
        "almost no field read by name",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    return _Point(1, 2)
            """,
        },
    ),
    ValidTree(
        "reflective access in a file that uses its base",
        {
            "a.py": "class Shown: ...\n",
            "b.py": """
                from a import Shown
                from dataclasses import dataclass


                @dataclass
                class _Point(Shown):
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
            """,
            "c.py": """
                from a import Shown


                def show(shown: Shown):
                    return vars(shown)
            """,
        },
    ),
    ValidTree(
        "reflective access in the file of its base",
        {
            "a.py": """
                class Shown:
                    def show(self):
                        return self.__dict__
            """,
            "b.py": """
                from a import Shown
                from dataclasses import dataclass


                @dataclass
                class _Point(Shown):
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
            """,
        },
    ),
    ValidTree(
        "created by code that reads all fields",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class PointConfig:
                    x: int
                    y: int
                    _target_: str = 'a.make'


                def f():
                    p = PointConfig(1, 2)
                    return p.x
            """,
        },
    ),
    ValidTree(
        "filled by a library for the hooks of its users",
        {
            "p/__init__.py": "",
            "p/a.py": """
                from dataclasses import dataclass


                @dataclass
                class HookArgs:
                    x: int
                    y: int


                def f():
                    p = HookArgs(1, 2)
                    return p.x
            """,
        },
    ),
    ValidTree(
        "a field type of a class with reflective access",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
            """,
            "b.py": """
                from a import _Point
                from dataclasses import dataclass


                @dataclass
                class _Line:
                    end: _Point
            """,
            "c.py": """
                from b import _Line
                from dataclasses import asdict

                print(asdict(_Line(0)))
            """,
        },
    ),
    ValidTree(
        "a type without instances",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f(p):
                    return p.x
            """,
        },
    ),
    ValidTree(
        "a model that is passed on as a schema",
        {
            "a.py": """
                from pydantic import BaseModel


                class _Point(BaseModel):
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                answer(_Point)
            """,
        },
    ),
    ValidTree(
        "read from an object of unknown class",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                def g(q):
                    return q.y
            """,
        },
    ),
    ValidTree(
        "spelled in a string",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                NAMES = ['y']
            """,
        },
    ),
    ValidTree(
        "an unpacked named tuple",
        {
            "a.py": """
                from typing import NamedTuple


                class P(NamedTuple):
                    x: int


                P(1)
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "only a test reads it",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    return _Point(1, 2).x
            """,
            "tests/test_a.py": """
                from a import _Point


                def test_it():
                    assert _Point(1, 2).y == 2
            """,
        },
        (("a.py", 7, "`_Point.y` is set and only tests read it"),),
    ),
    InvalidTree(
        "a test with reflective access",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    return _Point(1, 2).x
            """,
            "tests/test_a.py": """
                from dataclasses import asdict
                from a import _Point


                def test_it():
                    assert asdict(_Point(1, 2))
            """,
        },
        (("a.py", 7, "`_Point.y` is set and never read"),),
    ),
    InvalidTree(
        "a setting that a library never reads",
        {
            "p/__init__.py": "",
            "p/a.py": """
                from dataclasses import dataclass


                @dataclass
                class PointConfig:
                    x: int
                    y: int


                def f(p: PointConfig):
                    return p.x
            """,
        },
        (("p/a.py", 7, MESSAGE.replace("_Point", "PointConfig")),),
    ),
    InvalidTree(
        "set and never read",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "read from an object of another class",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                class Other:
                    def __init__(self):
                        self.y = 1

                    def f(self):
                        return self.y
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "set by a parser",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    return p.x
                parse(_Point)
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "written again",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    p = _Point(1, 2)
                    p.y = 3
                    return p.x
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
)
