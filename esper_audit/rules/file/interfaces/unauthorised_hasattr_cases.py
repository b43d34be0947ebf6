"""The cases of the rule `unauthorised-hasattr`."""

from __future__ import annotations

from esper_audit.rules.rule import Invalid, Valid

VALID = (
    Valid("getattr without a default", "value = getattr(module, name)\n"),
    Valid(
        "a function of one's own",
        """
        from checks import hasattr
        hasattr(host, 'a')
        """,
    ),
    Valid("a method of that name", "frame.hasattr('segments')\n"),
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
        "a name known at run time",
        """
        for key in keys:
            v = getattr(args, key, None)
        """,
    ),
    Valid("a name put together", "getattr(self, f'decoder_{index}', None)\n"),
    Valid("a dunder", "sized = hasattr(data, '__len__')\n"),
    Valid(
        "the machinery of attributes",
        """
        class Wrapper:
            def __getattr__(self, name):
                return getattr(self.inner, 'value', None)
        """,
    ),
    Valid(
        "a half-built object that dies",
        """
        class Pool:
            def __del__(self):
                if hasattr(self, 'workers'):
                    self.workers.stop()
        """,
    ),
    Valid(
        "a handler that raises something clearer",
        """
        try:
            dim = host.dim
        except AttributeError as e:
            raise TypeError('a host has a dim') from e
        """,
    ),
    Valid(
        "a handler that raises unless told otherwise",
        """
        try:
            dim = host.dim
        except AttributeError:
            if strict:
                raise
        """,
    ),
    Valid(
        "a handler that tells the error",
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
        "a registry searched by name",
        """
        for module in modules:
            try:
                found = getattr(module, class_name)
            except AttributeError:
                continue
        """,
    ),
    Valid(
        "a conversion that asks for no attribute",
        """
        try:
            n = int(x)
        except (TypeError, AttributeError):
            n = 0
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
        ((1, 'hasattr(host, "segments") asks what a Protocol could promise'),),
    ),
    Invalid(
        "getattr with a default",
        """
        def width(config):
            return getattr(config, "dim", 64)
        """,
        ((2, 'getattr(config, "dim", 64) reads a missing attribute as 64'),),
    ),
    Invalid(
        "the builtin under other names",
        """
        import builtins
        from builtins import getattr as read
        ask = hasattr
        a = builtins.hasattr(x, 'a')
        b = read(x, 'b', None)
        c = ask(x, 'c')
        """,
        (
            (4, "builtins.hasattr(x, 'a') asks what a Protocol could promise"),
            (5, "read(x, 'b', None) reads a missing attribute as None"),
            (6, "ask(x, 'c') asks what a Protocol could promise"),
        ),
    ),
    Invalid(
        "a name that is a constant",
        "has = hasattr(seed, STATE_KEY)\n",
        ((1, "hasattr(seed, STATE_KEY) asks what a Protocol could promise"),),
    ),
    Invalid(
        "what this package itself exports",
        """
        from .hosts import CNNHost
        hasattr(CNNHost, 'segments')
        """,
        ((2, "hasattr(CNNHost, 'segments') asks what a Protocol could promise"),),
    ),
    Invalid(
        "a caught AttributeError",
        """
        try:
            dim = host.dim
        except AttributeError:
            dim = 64
        """,
        ((3, "except AttributeError answers for a missing attribute"),),
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
        ((4, "except (TypeError, AttributeError) answers for a missing attribute"),),
    ),
    Invalid(
        "a suppressed AttributeError",
        """
        from contextlib import suppress
        with suppress(AttributeError):
            host.reset()
        """,
        ((2, "suppress(AttributeError) passes over a missing attribute"),),
    ),
    Invalid(
        "an AttributeError suppressed beside another error",
        """
        from contextlib import suppress
        with suppress(KeyError, AttributeError):
            host.reset()
        """,
        ((2, "suppress(KeyError, AttributeError) passes over a missing attribute"),),
    ),
    Invalid(
        "everything switched on",
        """
        import torch
        hasattr(torch, 'compile')
        hasattr(x, name)
        hasattr(x, '__len__')
        """,
        (
            (2, "hasattr(torch, 'compile') asks what a Protocol could promise"),
            (3, "hasattr(x, name) asks what a Protocol could promise"),
            (4, "hasattr(x, '__len__') asks what a Protocol could promise"),
        ),
        options={"imports": True, "computed_names": True, "dunders": True},
    ),
)
