"""The cases of the rule `heavy-eager-import`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

PLOT = """\
import matplotlib.pyplot as plt


def plot():
    plt.show()
"""
SMALL = """\
def small():
    return 1
"""
EAGER = """\
from p.plots import plot
from p.small import small
"""
MESSAGE = "importing `p` loads {}, which 3 of the {} importers of `p` do not need"

VALID = (
    ValidTree(
        "most importers need it",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import plot

                plot()
            """,
            "q1.py": """
                from p import plot

                plot()
            """,
            "q2.py": """
                from p import plot

                plot()
            """,
        },
    ),
    ValidTree(
        "imported in a function",
        {
            "p/__init__.py": """
                from p.small import small


                def plot():
                    from p.plots import plot

                    plot()
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "imported under TYPE_CHECKING",
        {
            "p/__init__.py": """
                from typing import TYPE_CHECKING

                from p.small import small

                if TYPE_CHECKING:
                    from p.plots import plot
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "loaded by the importers anyway",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                import matplotlib
                from p import small

                small()
            """,
            "q1.py": """
                import matplotlib
                from p import small

                small()
            """,
            "q2.py": """
                import matplotlib
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "imported in a try that continues without it",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": """
                try:
                    import matplotlib
                except ImportError:
                    matplotlib = None
            """,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "its file is imported in a try that continues without it",
        {
            "p/__init__.py": """
                from p.small import small

                try:
                    from p.plots import plot
                except ModuleNotFoundError:
                    plot = None
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "the importing file is imported conditionally",
        {
            "p/__init__.py": """
                from p.small import can_plot, small

                if can_plot():
                    from p.plots import plot
            """,
            "p/plots.py": PLOT,
            "p/small.py": """
                def small():
                    return 1


                def can_plot():
                    return False
            """,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "two importers",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "a star import in a try that goes on without it",
        {
            "p/__init__.py": """
                from p.small import small

                try:
                    from p.plots import *
                except ImportError:
                    pass
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
    ValidTree(
        "most importers use a name of the star import",
        {
            "p/__init__.py": """
                # The face of the package.
                from p.plots import *
                from p.small import *
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import plot

                plot()
            """,
            "q1.py": """
                from p import plot

                plot()
            """,
            "q2.py": """
                from p import plot

                plot()
            """,
        },
    ),
    ValidTree(
        "a star import below TYPE_CHECKING",
        {
            "p/__init__.py": """
                from typing import TYPE_CHECKING

                from p.small import small

                if TYPE_CHECKING:
                    from p.plots import *
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "three importers that need something else",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
        (
            (
                "p/__init__.py",
                1,
                MESSAGE.format("matplotlib", 3),
            ),
        ),
    ),
    InvalidTree(
        "an import error with a clearer message",
        {
            "p/__init__.py": EAGER,
            "p/plots.py": """
                try:
                    import matplotlib
                except ImportError as missing:
                    raise ImportError('pip install matplotlib') from missing


                def plot(): ...
            """,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
        (("p/__init__.py", 1, MESSAGE.format("matplotlib", 3)),),
    ),
    InvalidTree(
        "a star import below a comment, in a package that holds it",
        {
            "p/__init__.py": """
                # The face of the package.
                from p.plots import *
                from p.small import *
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
        (("p/__init__.py", 2, MESSAGE.format("matplotlib", 3)),),
    ),
    InvalidTree(
        "a relative star import below a blank line",
        {
            "p/__init__.py": """

                from .plots import *
                from .small import *
            """,
            "p/plots.py": PLOT,
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
        },
        (("p/__init__.py", 2, MESSAGE.format("matplotlib", 3)),),
    ),
    InvalidTree(
        "a module of the project, with the option `heavy`",
        {
            "p/__init__.py": """
                from p import world
                from p.small import small
            """,
            "p/world.py": "X = 1\n",
            "p/small.py": SMALL,
            "q0.py": """
                from p import small

                small()
            """,
            "q1.py": """
                from p import small

                small()
            """,
            "q2.py": """
                from p import small

                small()
            """,
            "q3.py": """
                import p.world

                print(p.world.X)
            """,
        },
        (
            (
                "p/__init__.py",
                1,
                MESSAGE.format("p.world", 4),
            ),
        ),
        options={"heavy": ["p.world"]},
    ),
)
