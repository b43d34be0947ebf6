"""The cases of the rule `mutable-default-stored`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

COLLECTED = (
    "the default `{}` of `{}` is one object for all calls, and line {} changes it. Default to None."
)

VALID = (
    Valid(
        "an empty default that is kept, read and handed on, but never changed",
        """
        class Chain:
            def __init__(self, blocks, routes={}, extra=dict()):
                self.blocks, self.routes = blocks, routes
                self.routes = routes
                self.extra = extra

            def forward(self, x):
                return self.blocks(x, routed(self.routes), **self.extra)
        """,
    ),
    Valid(
        "a default that is only read",
        """
        class Net:
            def __init__(self, sizes=[3, 5], names=()):
                self.sizes = sizes
                self.total = sum(sizes)
        """,
    ),
    Valid(
        "a copy is kept",
        """
        class Net:
            def __init__(self, hooks=[], extra={}, seen=set()):
                self.hooks = list(hooks)
                self.extra = extra or {}
                self.seen = {*seen}
        """,
    ),
    Valid(
        "None stands for a new one",
        """
        class Net:
            def __init__(self, hooks=None):
                self.hooks = [] if hooks is None else hooks
        """,
    ),
    Valid(
        "a memo",
        """
        def shape_of(key, _known={}):
            if key not in _known:
                _known[key] = measure(key)
            return _known[key]
        """,
    ),
    Valid(
        "a name that is bound anew",
        """
        from torch import nn

        def build(sizes=[], act=nn.ReLU()):
            sizes = list(sizes)
            sizes.append(1)
            return nn.Sequential(*map(nn.Linear, sizes), act)
        """,
    ),
    Valid(
        "a memo that asks for forgiveness",
        """
        def resampled(wave, old, new, made={}):
            try:
                kernel = made[old, new]
            except KeyError:
                kernel = made[old, new] = Kernel(old, new)
            return kernel(wave)
        """,
    ),
    Valid(
        "what takes entries out, and a waiver",
        """
        class Estimator:
            def __init__(self, names, sizes={}):
                self.sizes = sizes
                self.past = {name: self.sizes.pop(name) for name in names if name in self.sizes}
        def encode(text, special=set()):  # noqa: B006
            special |= {1}
            return text
        """,
    ),
)
INVALID = (
    Invalid(
        "a default of several lines of a signature, after a docstring",
        """
        def collect(
            rows,
            seen=[],  # what was read before
        ):
            '''Collect rows.'''
            seen.append(rows)
        """,
        ((3, COLLECTED.format("[]", "seen", 6)),),
    ),
    Invalid(
        "a default of one line",
        """
        def collect(rows, seen=[]):
            seen.append(rows)
            return seen
        """,
        ((1, COLLECTED.format("[]", "seen", 2)),),
        fixed="""
        def collect(rows, seen=None):
            if seen is None:
                seen = []
            seen.append(rows)
            return seen
        """,
    ),
    Invalid(
        "an empty default that objects keep",
        """
        class Recorder:
            def __init__(self, model, hooks=[], *, table: dict = {}):
                self.model = model
                self.hooks = hooks
                self.table = table
        """,
        (
            (
                2,
                (
                    "the default `[]` of `hooks` is one object for all calls, and `self.hooks` keeps it. "
                    "Default to None."
                ),
            ),
            (
                2,
                (
                    "the default `{}` of `table` is one object for all calls, and `self.table` keeps it. "
                    "Default to None."
                ),
            ),
        ),
        options={"kept": True},
    ),
    Invalid(
        "entries that a constructor adds where they are missing",
        """
        class Reader:
            def __init__(self, names, units={}):
                self.units = units
                for name in names:
                    if name not in self.units:
                        self.units[name] = 1.0
        """,
        (
            (
                2,
                (
                    "the default `{}` of `units` is one object for all calls, and `self.units` keeps it, "
                    "which line 6 changes. Default to None."
                ),
            ),
        ),
    ),
    Invalid(
        "a default that another method fills",
        """
        class Meter:
            def __init__(self, names=["loss"]):
                self._names = names

            def add(self, name):
                self._names.append(name)

        class Wide(Meter):
            def __init__(self, limits={"a": 1}):
                super().__init__()
                self.limits = limits

            def raise_limit(self):
                self.limits["a"] += 1
        """,
        (
            (
                2,
                (
                    'the default `["loss"]` of `names` is one object for all calls, and `self._names` '
                    "keeps it, which line 6 changes. Default to None."
                ),
            ),
            (
                9,
                (
                    'the default `{"a": 1}` of `limits` is one object for all calls, and `self.limits` '
                    "keeps it, which line 14 changes. Default to None."
                ),
            ),
        ),
    ),
    Invalid(
        "a default that the function changes",
        """
        def collect(x, found=list()):
            found.append(x)
            return found

        async def merge(more, options={"lr": 0.1}):
            options.update(more)
            return options

        def extend(more, names=[]):
            names += more
            return names
        """,
        (
            (
                1,
                (
                    "the default `list()` of `found` is one object for all calls, and line 2 changes it. "
                    "Default to None."
                ),
            ),
            (
                5,
                (
                    'the default `{"lr": 0.1}` of `options` is one object for all calls, and line 6 '
                    "changes it. Default to None."
                ),
            ),
            (
                9,
                (
                    "the default `[]` of `names` is one object for all calls, and line 10 changes it. "
                    "Default to None."
                ),
            ),
        ),
    ),
    Invalid(
        "a default layer whose weights all networks share",
        """
        from torch import nn

        class Block(nn.Module):
            def __init__(self, width, act: nn.Module = nn.PReLU()):
                super().__init__()
                self.act = act
        """,
        (
            (
                4,
                (
                    "the default `nn.PReLU()` of `act` is one object for all calls, and `self.act` keeps "
                    "it. Default to None."
                ),
            ),
        ),
    ),
)
