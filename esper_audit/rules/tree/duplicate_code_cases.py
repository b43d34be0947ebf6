"""The cases of the rule `duplicate-code`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

VALID = (
    ValidTree(
        "too short",
        {
            "a.py": """
                def f(x):
                    x = g(x)
                    return x
                def f(x):
                    x = g(x)
                    return x
            """,
        },
    ),
    ValidTree(
        "the same calls of other functions",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": """
                def f(x):
                    x = block_0(x, scale=0)
                    log(x)
                    x = block_1(x, scale=1)
                    log(x)
                    x = block_2(x, scale=2)
                    log(x)
                    x = block_3(x, scale=3)
                    log(x)
                    x = block_4(x, scale=4)
                    log(x)
                    x = block_5(x, scale=5)
                    log(x)
            """,
        },
    ),
    ValidTree(
        "other constants",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=4)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
        },
    ),
    ValidTree(
        "swapped local names",
        {
            "a.py": """
                def f(x, y):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": """
                def f(x, y):
                    x = layer_0(x, scale=0)
                    log(y)
                    x = layer_1(x, scale=1)
                    log(y)
                    x = layer_2(x, scale=2)
                    log(y)
                    x = layer_3(x, scale=3)
                    log(y)
                    x = layer_4(x, scale=4)
                    log(y)
                    x = layer_5(x, scale=5)
                    log(y)
            """,
        },
    ),
    ValidTree(
        "the same fields",
        {
            "a.py": """
                class A:
                    a0: int
                    a1: int
                    a2: int
                    a3: int
                    a4: int
                    a5: int
                    a6: int
                    a7: int
                    a8: int
                    a9: int
                    a10: int
                    a11: int
                    a12: int
                    a13: int
            """,
            "b.py": """
                class B:
                    a0: int
                    a1: int
                    a2: int
                    a3: int
                    a4: int
                    a5: int
                    a6: int
                    a7: int
                    a8: int
                    a9: int
                    a10: int
                    a11: int
                    a12: int
                    a13: int
            """,
        },
    ),
    ValidTree(
        "a test",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "tests/test_a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
        },
    ),
    ValidTree(
        "a generated file",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": """
                # Generated by make. Do not edit.
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
        },
    ),
    ValidTree(
        "a declared copy",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": """
                # Copied from a.f
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
        },
    ),
    ValidTree(
        "one long call",
        {
            "a.py": """
                def f():
                    return g(
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                    )
            """,
            "b.py": """
                def f():
                    return g(
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                        a=1,
                    )
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "a function with another name, layout and other local names",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
            "b.py": '''
                def g(h):
                    """G."""

                    h = layer_0(h, scale=0)
                    log(h)
                    h = layer_1(h, scale=1)
                    log(h)
                    h = layer_2(h, scale=2)
                    log(h)
                    h = layer_3(h, scale=3)
                    log(h)
                    h = layer_4(h, scale=4)
                    log(h)
                    h = layer_5(h, scale=5)
                    log(h)
            ''',
        },
        (("b.py", 1, "13 lines from here on duplicate `f` in a.py"),),
    ),
    InvalidTree(
        "a part of two methods and of a third",
        {
            "a.py": """
                class A:
                  def f(self, x):
                    begin(x)
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
                    end(self)
            """,
            "b.py": """
                def g(x, y):
                    if y:
                        stop()
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
                    return x


                def h(x):
                    halt()
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
            """,
        },
        (("b.py", 4, "12 lines from here on duplicate `A.f` in a.py and 1 more place"),),
    ),
    InvalidTree(
        "twice in one function, in nested blocks",
        {
            "a.py": """
                def f(x):
                    x = layer_0(x, scale=0)
                    log(x)
                    x = layer_1(x, scale=1)
                    log(x)
                    x = layer_2(x, scale=2)
                    log(x)
                    x = layer_3(x, scale=3)
                    log(x)
                    x = layer_4(x, scale=4)
                    log(x)
                    x = layer_5(x, scale=5)
                    log(x)
                    for i in x:
                        x = layer_0(x, scale=0)
                        log(x)
                        x = layer_1(x, scale=1)
                        log(x)
                        x = layer_2(x, scale=2)
                        log(x)
                        x = layer_3(x, scale=3)
                        log(x)
                        x = layer_4(x, scale=4)
                        log(x)
                        x = layer_5(x, scale=5)
                        log(x)
            """,
        },
        (("a.py", 15, "12 lines from here on duplicate `f` in a.py"),),
    ),
    InvalidTree(
        "a shorter run, with the option `lines`",
        {
            "a.py": """
                def f(x):
                    x = g(x)
                    return x
            """,
            "b.py": """
                def h(y):
                    y = g(y)
                    return y
            """,
        },
        (("b.py", 1, "3 lines from here on duplicate `f` in a.py"),),
        options={"lines": 3},
    ),
)
