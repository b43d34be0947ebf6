"""The cases of the rule `argument-never-passed`."""

from __future__ import annotations

from esper_audit.rules.tree_rule import InvalidTree, ValidTree

VALID = (
    ValidTree(
        "passed by one",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x


                _f(1)
                _f(1, 2)
            """,
        },
    ),
    ValidTree(
        "public in a library",
        {
            "a.py": """
                def f(x, eps=0):
                    return x if eps else -x


                f(1)
            """,
        },
    ),
    ValidTree(
        "never called",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x
            """,
        },
    ),
    ValidTree(
        "possibly in kwargs",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x


                def g(**kw):
                    return _f(1, **kw)
            """,
        },
    ),
    ValidTree(
        "also used as a callback",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x


                _f(1)
                run(_f)
            """,
        },
    ),
    ValidTree(
        "a name that is bound early by a default",
        {
            "a.py": """
                k = 1


                def _f(x, k=k):
                    return x if k else -x


                _f(1)
            """,
        },
    ),
    ValidTree(
        "a named constant",
        {
            "a.py": """
                def _f(xs, most=3):
                    return xs[:most] if len(xs) > most else xs


                _f([1])
            """,
        },
    ),
    ValidTree(
        "a field of a template",
        {
            "a.py": """
                def _cfg(width, pool='avg', window=None):
                    return dict(width=width, pool=pool, window=window)


                SMALL = _cfg(1)
                LARGE = _cfg(2)
            """,
        },
    ),
    ValidTree(
        "bound again before it is tested",
        {
            "a.py": """
                def _f(x, first=None):
                    first = x[0]
                    return 1 if first is None else 2


                _f([1])
            """,
        },
    ),
    ValidTree(
        "a state of a loop",
        {
            "a.py": """
                def _f(xs, last=None):
                    for x in xs:
                        if last is not None:
                            print(last)
                        last = x


                _f([1])
            """,
        },
    ),
    ValidTree(
        "declared to be ignored",
        {
            "a.py": """
                import warnings


                def _f(x, devices=''):
                    if devices:
                        warnings.warn(f'{devices} is deprecated and ignored')
                    return x


                _f(1)
            """,
        },
    ),
    ValidTree(
        "a public function that scripts outside the package call",
        {
            "lib/_devices.py": """
                def device(text=False):
                    return 'cpu' if text else Device('cpu')
            """,
            "recipes/train.py": """
                from lib._devices import device

                device()
            """,
        },
    ),
    ValidTree(
        "two functions of a pattern",
        {
            "gym.py": """
                def _envs(full=True):
                    return gym if full else 0


                _envs()
            """,
            "suite.py": """
                def _envs(full=True):
                    return suite if full else 0


                _envs()
            """,
        },
    ),
    ValidTree(
        "adapted from elsewhere",
        {
            "a.py": """
                def _f(x, eps=0):
                    '''Adapted from lib.'''
                    return x if eps else -x


                _f(1)
            """,
        },
    ),
    ValidTree(
        "a declared copy",
        {
            "a.py": """
                # Copied from lib.f
                def _f(x, eps=0):
                    return x if eps else -x


                _f(1)
            """,
        },
    ),
    ValidTree(
        "a default that is not a constant",
        {
            "a.py": """
                import b


                def _f(x, way=b.WAY):
                    return x if way == 1 else -x


                _f(1)
            """,
        },
    ),
    ValidTree(
        "a method of a class that is passed on as a value",
        {
            "a.py": """
                class _A:
                    def __init__(self, eps=0):
                        self.eps = 1 if eps else 2


                _A()
                build(kind=_A)
            """,
        },
    ),
    ValidTree(
        "an override",
        {
            "a.py": """
                class A:
                    def _f(self, eps=0):
                        return 1 if eps else 2

                    def g(self):
                        return self._f()


                class B(A):
                    def _f(self, eps=0):
                        return 1
            """,
        },
    ),
    ValidTree(
        "passed to an object of unknown class",
        {
            "a.py": """
                class A:
                    def _f(self, eps=0):
                        return 1 if eps else 2

                    def g(self):
                        return self._f()
            """,
            "b.py": """
                def h(a):
                    return a._f(eps=1)
            """,
        },
    ),
    ValidTree(
        "passed by a subclass",
        {
            "a.py": """
                class _A:
                    def __init__(self, eps=0):
                        self.eps = 1 if eps else 2


                class _B(_A):
                    def __init__(self):
                        super().__init__(eps=1)


                _A()
            """,
        },
    ),
)

INVALID = (
    InvalidTree(
        "only a test passes it",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x


                _f(1)
            """,
            "tests/test_a.py": """
                from a import _f


                def test_f():
                    assert _f(1, eps=2)
                    assert _f(1)
            """,
        },
        (
            (
                "a.py",
                1,
                "the only call of `_f` does not pass `eps`, so `eps` is always false; only tests pass it",
            ),
        ),
    ),
    InvalidTree(
        "a test uses the function as a value",
        {
            "a.py": """
                def _f(x, eps=0):
                    return x if eps else -x


                _f(1)
            """,
            "tests/test_a.py": """
                from a import _f


                def test_f(monkeypatch):
                    assert list(map(_f, [1]))
                    monkeypatch.setattr('a._f', _f)
            """,
        },
        (("a.py", 1, "the only call of `_f` does not pass `eps`, so `eps` is always false"),),
    ),
    InvalidTree(
        "two calls that omit it",
        {
            "a.py": """
                def _f(x, eps=None):
                    if eps is not None:
                        x = x + eps
                    return x
            """,
            "b.py": """
                import a

                a._f(1)
                a._f(2)
            """,
        },
        (
            (
                "a.py",
                1,
                "none of the 2 calls of `_f` passes `eps`, so `eps is not None` is always false",
            ),
        ),
    ),
    InvalidTree(
        "a local function",
        {
            "a.py": """
                def f(x):
                    def g(y, twice=False):
                        return y * 2 if twice else y

                    return g(x)
            """,
        },
        (("a.py", 2, "the only call of `f.g` does not pass `twice`, so `twice` is always false"),),
    ),
    InvalidTree(
        "the constructor of a private class",
        {
            "a.py": """
                class _A:
                    def __init__(self, x, way='left'):
                        self.x = x if way == 'left' else -x


                _A(1)
                _A(x=2)
            """,
        },
        (
            (
                "a.py",
                2,
                "none of the 2 calls of `_A` passes `way`, so `way == 'left'` is always true",
            ),
        ),
    ),
    InvalidTree(
        "replaced by its real default",
        {
            "a.py": """
                def _f(v, divisor, least=None):
                    if least is None:
                        least = divisor
                    return max(least, v)


                _f(1, 2)
            """,
        },
        (
            (
                "a.py",
                1,
                "the only call of `_f` does not pass `least`, so `least is None` is always true",
            ),
        ),
    ),
)
