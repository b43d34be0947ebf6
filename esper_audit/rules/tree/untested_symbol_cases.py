"""The cases of the rule `untested-symbol`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

FIVE = """\
def f0():
    return 0


def f1():
    return 1


def f2():
    return 2


def f3():
    return 3


def f4():
    return 4


"""
TESTS = """\
import a


def test_all():
    assert a.f0() < a.f1() < a.f2() < a.f3()
"""

VALID = (
    ValidTree(
        "everything is reached",
        {
            "a.py": FIVE,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
    ),
    ValidTree("no tests at all", {"a.py": FIVE}),
    ValidTree(
        "no tests, and module-level code that uses most",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                print(f0(), f1(), f2(), f3())
            """,
        },
    ),
    ValidTree(
        "a test of something else in the same module",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                print(f0(), f1(), f2(), f3())
            """,
            "tests/test_b.py": """
                def test_b():
                    assert 1 + 1 == 2
            """,
        },
    ),
    ValidTree(
        "passed on by a decorator",
        {
            "a.py": """
                from functools import singledispatch


                @singledispatch
                def shown(x):
                    return x


                @shown.register(str)
                def shown_text(x):
                    return x.strip()


                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4(a.shown(1))
            """,
        },
    ),
    ValidTree(
        "a protocol",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                from typing import Protocol


                class Shown(Protocol):
                    def show(self) -> str: ...
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
    ),
    ValidTree(
        "a test support module",
        {
            "p/a.py": FIVE,
            "p/testing.py": """
                def almost(x, y):
                    return abs(x - y) < 1
            """,
            "p/test_utils/run.py": """
                def run():
                    return 1
            """,
            "tests/test_a.py": """
                from p import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
        options={"most": 0.5},
    ),
    ValidTree(
        "used by a test support module",
        {
            "p/a.py": FIVE,
            "p/testing.py": """
                from p import a


                class Cases:
                    def test_four(self):
                        assert a.f4() == 4
            """,
            "tests/test_a.py": """
                from p import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
            """,
        },
    ),
    ValidTree(
        "a deprecated function",
        {
            "a.py": """
                import warnings


                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                def f5():
                    warnings.warn('f5 is deprecated', DeprecationWarning)
                    return 5
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
    ),
    ValidTree(
        "classes that are searched for",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                class Base: ...


                class One(Base): ...


                def found():
                    return Base.__subclasses__()
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4(a.found())
            """,
        },
    ),
    ValidTree(
        "tests that reach little",
        {
            "a.py": FIVE,
            "tests/test_a.py": """
                import a


                def test_one():
                    assert a.f1()
            """,
        },
    ),
    ValidTree(
        "reached through another function",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                def f5():
                    return f4()
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f5()
            """,
        },
    ),
    ValidTree(
        "in a table",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                TABLE = {'f4': f4}
            """,
            "tests/test_a.py": TESTS,
        },
    ),
    ValidTree(
        "a private function",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                def _f():
                    return 1
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
    ),
    ValidTree(
        "the forward of an instantiated module",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                from torch import nn


                class M(nn.Module):
                    def forward(self, x):
                        return x
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
                    run(a.M())
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "one of five functions",
        {"a.py": FIVE, "tests/test_a.py": TESTS},
        (("a.py", 17, "no test reaches the function `f4`"),),
    ),
    InvalidTree(
        "a class with its methods",
        {
            "a.py": """
                def f0():
                    return 0


                def f1():
                    return 1


                def f2():
                    return 2


                def f3():
                    return 3


                def f4():
                    return 4


                class A:
                    def g(self):
                        return 1
            """,
            "tests/test_a.py": """
                import a


                def test_all():
                    assert a.f0() < a.f1() < a.f2() < a.f3()
                    a.f4()
            """,
        },
        (("a.py", 21, "no test reaches the class `A`"),),
    ),
    InvalidTree(
        "a name in the option `names`",
        {"a.py": FIVE},
        (("a.py", 9, "no test reaches the function `f2`"),),
        options={"names": ["a.f2"]},
    ),
)
