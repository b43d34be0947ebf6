"""The cases of the rule `field-never-set`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

POINT = """\
from dataclasses import dataclass, replace


@dataclass
class _Point:
    x: int
    y: int = 0


"""
MESSAGE = "nothing sets `_Point.y`: it always has its default"

VALID = (
    ValidTree(
        "set by its name in a string",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y


                def fill(point: _Point):
                    setattr(point, 'y', point.y + 1)
            """,
        },
    ),
    ValidTree(
        "passed on by keywords that a table holds",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y


                def copy(point: _Point):
                    return _Point(**{'x': 1, 'y': point.y})
            """,
        },
    ),
    ValidTree(
        "passed by name",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1, y=2).y
            """,
        },
    ),
    ValidTree(
        "passed by position",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1, 2).y
            """,
        },
    ),
    ValidTree(
        "assigned",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
                def g(p):
                    p.y = 3
            """,
        },
    ),
    ValidTree(
        "replaced",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
                def g(p):
                    return replace(p, y=3)
            """,
        },
    ),
    ValidTree(
        "replaced in a named tuple",
        {
            "a.py": """
                from typing import NamedTuple


                class _Point(NamedTuple):
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
                def g(p):
                    return p._replace(x=h(1), y=3)
            """,
        },
    ),
    ValidTree(
        "possibly in forwarded arguments",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f(**given):
                    return _Point(1, **given)
            """,
        },
    ),
    ValidTree("never instantiated in the tree", {"a.py": POINT}),
    ValidTree(
        "an option for users of a library",
        {
            "p/__init__.py": "",
            "p/a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class Point:
                    x: int
                    y: int = 0


                def f():
                    return Point(1).y
            """,
        },
    ),
    ValidTree(
        "a constant of the class",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    _y: int = 0


                def f():
                    return _Point(1)._y
            """,
        },
    ),
    ValidTree(
        "a list as the default",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: list = field(default_factory=list)


                def f():
                    return _Point(1).y
            """,
        },
    ),
    ValidTree(
        "a field without default",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int


                def f():
                    return _Point(1).y
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "only a test sets it",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
            "tests/test_a.py": """
                from a import _Point

                _Point(1, 2)
            """,
        },
        (("a.py", 7, "only tests set `_Point.y`: in the program it always has its default"),),
    ),
    InvalidTree(
        "only a test assigns it",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
            "tests/test_a.py": """
                from a import _Point

                p = _Point(1)
                p.y = 3
            """,
        },
        (("a.py", 7, "only tests set `_Point.y`: in the program it always has its default"),),
    ),
    InvalidTree(
        "only a test replaces it",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
            "tests/test_a.py": """
                from dataclasses import replace
                from a import _Point

                replace(_Point(1), y=3)
            """,
        },
        (("a.py", 7, "only tests set `_Point.y`: in the program it always has its default"),),
    ),
    InvalidTree(
        "a test with reflective access",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
            "tests/test_a.py": """
                from dataclasses import asdict
                from a import _Point

                assert asdict(_Point(1)) == {'x': 1, 'y': 0}
            """,
        },
        (("a.py", 7, "nothing sets `_Point.y`: it always has its default"),),
    ),
    InvalidTree(
        "its own `to_dict` spells its name",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0

                    def to_dict(self):
                        return {'x': self.x, 'y': self.y}


                def f():
                    return _Point(1).y
            """,
        },
        (("a.py", 7, "nothing sets `_Point.y`: it always has its default"),),
    ),
    InvalidTree(
        "a function that writes it to a table spells its name",
        {
            "a.py": """
                from dataclasses import dataclass


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y


                def row(point: _Point, out):
                    out['y'] = point.y
            """,
        },
        (("a.py", 7, "nothing sets `_Point.y`: it always has its default"),),
    ),
    InvalidTree(
        "an unrelated class with an attribute of that name",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
                class Other:
                    def __init__(self):
                        self.y = 1
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "a field of a named tuple",
        {
            "a.py": """
                from typing import NamedTuple


                class _Point(NamedTuple):
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
        },
        (("a.py", 6, MESSAGE),),
    ),
    InvalidTree(
        "always the default",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "the same word in a string replacement",
        {
            "a.py": """
                from dataclasses import dataclass, replace


                @dataclass
                class _Point:
                    x: int
                    y: int = 0


                def f():
                    return _Point(1).y
                def g(text):
                    y = text.replace('a', 'b')
                    return y
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
    InvalidTree(
        "instantiated in another file as well",
        {
            "a.py": POINT,
            "b.py": """
                from a import _Point

                print(_Point(x=1).y)
            """,
        },
        (("a.py", 7, MESSAGE),),
    ),
)
