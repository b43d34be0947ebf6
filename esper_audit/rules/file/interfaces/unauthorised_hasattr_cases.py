"""The cases of the rule `unauthorised-hasattr`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid("getattr without a default", "value = getattr(module, name)\n"),
    Valid(
        "a function of the project",
        """
        from checks import hasattr
        hasattr(host, 'a')
        """,
    ),
    Valid("a method with that name", "frame.hasattr('segments')\n"),
    Valid(
        "a feature of another version of a package",
        """
        import torch
        from torch import nn
        from torch.optim import Optimizer
        fast = hasattr(torch, 'compile')
        norm = hasattr(nn.utils.parametrizations, 'weight_norm')
        group = getattr(Optimizer, '_group_tensors', None)
        """,
    ),
    Valid(
        "a name that is known at run time",
        """
        for key in keys:
            v = getattr(args, key, None)
        """,
    ),
    Valid("a composed name", "getattr(self, f'decoder_{index}', None)\n"),
    Valid("a dunder", "sized = hasattr(data, '__len__')\n"),
    Valid(
        "the attribute methods",
        """
        class Wrapper:
            def __getattr__(self, name):
                return getattr(self.inner, 'value', None)
        """,
    ),
    Valid(
        "a partly built object in `__del__`",
        """
        class Pool:
            def __del__(self):
                if hasattr(self, 'workers'):
                    self.workers.stop()
        """,
    ),
    Valid(
        "a handler that raises a clearer error",
        """
        try:
            dim = host.dim
        except AttributeError as e:
            raise TypeError('a host has a dim') from e
        """,
    ),
    Valid(
        "a handler that raises by default",
        """
        try:
            dim = host.dim
        except AttributeError:
            if strict:
                raise
        """,
    ),
    Valid(
        "a handler that uses the error",
        """
        try:
            value = pickle.loads(data.raw)
        except (TypeError, AttributeError) as e:
            warnings.warn(f'not read: {e}')
        """,
    ),
    Valid(
        "an optional import",
        """
        try:
            from torch.amp import GradScaler
        except (ImportError, AttributeError):
            GradScaler = None
        """,
    ),
    Valid(
        "a platform that lacks a function",
        """
        import os
        try:
            self.cpus = len(os.sched_getaffinity(0))
        except AttributeError:
            self.cpus = os.cpu_count()
        """,
    ),
    Valid(
        "a registry that is searched by name",
        """
        for module in modules:
            try:
                found = getattr(module, class_name)
            except AttributeError:
                continue
        """,
    ),
    Valid(
        "a conversion that reads no attribute",
        """
        try:
            n = int(x)
        except (TypeError, AttributeError):
            n = 0
        """,
    ),
    Valid(
        "an attribute of a thread's own storage",
        """
        import threading
        from threading import local

        STATE = threading.local()


        class Pool:
            def __init__(self):
                self.here = local()

            def depth(self):
                return getattr(STATE, "depth", 0) + (1 if hasattr(self.here, "open") else 0)
        """,
    ),
)

INVALID = (
    Invalid(
        "hasattr on a host",
        """
        if hasattr(host, "segments"):
            host.segments()
        """,
        ((1, 'hasattr(host, "segments") checks for an undeclared attribute'),),
    ),
    Invalid(
        "getattr with a default",
        """
        def width(config):
            return getattr(config, "dim", 64)
        """,
        ((2, 'getattr(config, "dim", 64) replaces a missing attribute by 64'),),
    ),
    Invalid(
        "aliases of the builtin",
        """
        import builtins
        from builtins import getattr as read
        ask = hasattr
        a = builtins.hasattr(x, 'a')
        b = read(x, 'b', None)
        c = ask(x, 'c')
        """,
        (
            (4, "builtins.hasattr(x, 'a') checks for an undeclared attribute"),
            (5, "read(x, 'b', None) replaces a missing attribute by None"),
            (6, "ask(x, 'c') checks for an undeclared attribute"),
        ),
    ),
    Invalid(
        "a name that is a constant",
        "has = hasattr(seed, STATE_KEY)\n",
        ((1, "hasattr(seed, STATE_KEY) checks for an undeclared attribute"),),
    ),
    Invalid(
        "an export of the same package",
        """
        from .hosts import CNNHost
        hasattr(CNNHost, 'segments')
        """,
        (
            (
                2,
                "hasattr(CNNHost, 'segments') checks for an undeclared attribute",
            ),
        ),
    ),
    Invalid(
        "a caught AttributeError",
        """
        try:
            dim = host.dim
        except AttributeError:
            dim = 64
        """,
        ((3, "except AttributeError handles a missing attribute"),),
    ),
    Invalid(
        "an AttributeError among others",
        """
        def length(loader):
            try:
                return len(loader.dataset)
            except (TypeError, AttributeError):
                return 0
        """,
        ((4, "except (TypeError, AttributeError) handles a missing attribute"),),
    ),
    Invalid(
        "a suppressed AttributeError",
        """
        from contextlib import suppress
        with suppress(AttributeError):
            host.reset()
        """,
        ((2, "suppress(AttributeError) suppresses a missing attribute"),),
    ),
    Invalid(
        "an AttributeError suppressed beside another error",
        """
        from contextlib import suppress
        with suppress(KeyError, AttributeError):
            host.reset()
        """,
        ((2, "suppress(KeyError, AttributeError) suppresses a missing attribute"),),
    ),
    Invalid(
        "all options switched on",
        """
        import torch
        hasattr(torch, 'compile')
        hasattr(x, name)
        hasattr(x, '__len__')
        """,
        (
            (2, "hasattr(torch, 'compile') checks for an undeclared attribute"),
            (3, "hasattr(x, name) checks for an undeclared attribute"),
            (4, "hasattr(x, '__len__') checks for an undeclared attribute"),
        ),
        options={"imports": True, "computed_names": True, "dunders": True},
    ),
)
