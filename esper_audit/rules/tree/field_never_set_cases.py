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
        "set by a test",
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
            "tests/test_a.py": """
                from a import _Point
                _Point(1, 2)
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
