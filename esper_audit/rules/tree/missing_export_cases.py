"""The cases of the rule `missing-export`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

LISTED = """\
__all__ = ['Line']
from p.line import Line
"""
BOUND = """\
__all__ = ['Line']
from p.line import Line
from p.a import Point
"""
MESSAGE = "`Point` is used by {} outside `p` (first q/b.py), but the `__all__` of `p` omits it"
USER = """\
from p.a import Point

Point()
"""
SHAPES = """\
class Shape: ...


class Line(Shape): ...


class Disc(Shape): ...


class Ring(Shape): ...
"""
SHAPE = """\
from p.shapes import Shape


class Point(Shape):
    pass
"""
ALL_SHAPES = """\
__all__ = ['Disc', 'Line', 'Ring', 'Shape']
from p.shapes import Disc, Line, Ring, Shape
"""

VALID = (
    ValidTree(
        "listed",
        {
            "p/__init__.py": """
                __all__ = ['Point']
                from p.a import Point
            """,
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "a package without a list",
        {
            "p/__init__.py": "",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "used only in its own package",
        {
            "p/__init__.py": LISTED,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "p/b.py": USER,
        },
    ),
    ValidTree(
        "a listed module",
        {
            "p/__init__.py": """
                __all__ = ['Line', 'a']
                from p import a
                from p.line import Line
            """,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "listed by the enclosing package",
        {
            "o/__init__.py": """
                __all__ = ['Point']
                from o.p.a import Point
            """,
            "o/p/__init__.py": """
                __all__ = ['Line']
                from o.p.line import Line
            """,
            "o/p/line.py": "class Line: ...\n",
            "o/p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": """
                from o.p.a import Point

                Point()
            """,
        },
    ),
    ValidTree(
        "a list that the importers bypass",
        {
            "p/__init__.py": LISTED,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": """
                from p.line import Line
                from p.a import Point

                Point()

                Line()
            """,
        },
    ),
    ValidTree(
        "merely not listed",
        {
            "p/__init__.py": LISTED,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "imported for another reason",
        {
            "p/__init__.py": """
                __all__ = ['Line']
                from p.line import Line
                from p.a import Point  # noqa: F401
            """,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "other subclasses are omitted as well",
        {
            "p/__init__.py": """
                __all__ = ['Disc', 'Line', 'Shape']
                from p.shapes import Disc, Line, Ring, Shape
            """,
            "p/shapes.py": SHAPES,
            "p/a.py": SHAPE,
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "declared internal",
        {
            "p/__init__.py": ALL_SHAPES,
            "p/shapes.py": SHAPES,
            "p/a.py": """
                from p.shapes import Shape


                class Point(Shape):
                    'A point, for internal use.'
            """,
            "q/__init__.py": "",
            "q/b.py": USER,
        },
    ),
    ValidTree(
        "a class with subclasses",
        {
            "p/__init__.py": ALL_SHAPES,
            "p/shapes.py": SHAPES,
            "p/a.py": SHAPE,
            "q/__init__.py": "",
            "q/b.py": """
                from p.a import Point


                class Dot(Point):
                    pass
            """,
        },
    ),
    ValidTree(
        "used by tests",
        {
            "p/__init__.py": BOUND,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "tests/test_a.py": USER,
        },
    ),
)

INVALID = (
    InvalidTree(
        "used without an entry in the list",
        {
            "p/__init__.py": LISTED,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": USER,
        },
        (("p/a.py", 1, MESSAGE.format("one module")),),
        options={"all_used": True},
    ),
    InvalidTree(
        "imported by the package but not listed",
        {
            "p/__init__.py": BOUND,
            "p/line.py": "class Line: ...\n",
            "p/a.py": "class Point: ...\n",
            "q/__init__.py": "",
            "q/b.py": """
                import p

                p.Point()
            """,
            "q/c.py": "from p import Point\n",
        },
        (
            (
                "p/a.py",
                1,
                (
                    "`Point` is used by 2 modules outside `p` (first q/b.py), but the `__all__` of `p` omits it, "
                    "although the `__init__` imports it"
                ),
            ),
        ),
    ),
    InvalidTree(
        "all other subclasses are listed",
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
                MESSAGE.format("one module")
                + ", although it lists the 3 other subclasses of `Shape`",
            ),
        ),
    ),
)
