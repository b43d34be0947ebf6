"""Hooks on the construction and the calls of modules, which change no result of the command."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from esper_audit.findings.errors import FAILURES
from esper_audit.probes.recipes.local_definitions import is_local
from esper_audit.probes.recipes.values import Arguments, CallSpec, NameSpec, NotDescribable
from esper_audit.probes.recording.description import describe
from esper_audit.probes.recording.signature import Recorded, signature_of, structure_of, unwritten

MOST_DESCRIBED = 60  # calls of a class
MOST_KEPT = 4  # signatures of a class that differ in more than numbers, the cheapest
COPIERS = frozenset(
    {"__newobj__", "__newobj_ex__", "_reconstruct", "__deepcopy__", "__copy__", "__reduce_ex__"}
)
COPIER = "_reconstruct"  # the function of `copy` whose `x` is what it copies


class Recorder:
    """What is built and called in this process, of the classes that `is_wanted` accepts."""

    def __init__(self, is_wanted: Callable[[type], bool], keep: Callable[[Recorded], None]) -> None:
        self._is_wanted_class = is_wanted
        self._wanted: dict[type, bool] = {}
        self._keep = keep
        self._built: dict[int, tuple[weakref.ref[nn.Module], CallSpec | str]] = {}
        self._copied: set[int] = set()
        self._described: Counter[type] = Counter()
        self._kept: dict[tuple[type, bool], dict[str, int]] = {}
        self._patched: set[type] = set()
        self._original_call: Any = nn.Module.__call__
        self._original_setstate: Any = nn.Module.__setstate__
        self._active = threading.local()

    def install(self) -> None:
        """Put the hooks on.

        What `inspect.signature` returns for a module class stays the same: it ignores methods of C.
        """
        new = functools.partial(self._new)
        nn.Module.__new__ = staticmethod(new.__call__)  # type: ignore[assignment, method-assign]  # a hook
        nn.Module.__setstate__ = self._setstate_hook()  # type: ignore[method-assign]  # a hook
        self._hook_call(nn.Module)

    def construction(self, module: nn.Module) -> CallSpec | None:
        """Return how a module was built, None if that is not known."""
        found = self._found(module)
        if isinstance(found, str):
            raise NotDescribable(found)
        return found

    def _is_wanted(self, kind: type) -> bool:
        """Return whether a class is recorded, asked once for each."""
        if kind not in self._wanted:
            self._wanted[kind] = not is_local(kind.__qualname__) and self._is_wanted_class(kind)
        return self._wanted[kind]

    def _found(self, module: nn.Module) -> CallSpec | str | None:
        reference, found = self._built.get(id(module), (None, None))
        return found if reference is not None and reference() is module else None

    def _new(self, kind: type[nn.Module], *args: Any, **kwargs: Any) -> nn.Module:
        new = super(nn.Module, kind).__new__
        module = new(kind) if new is object.__new__ else new(kind, *args, **kwargs)
        if not isinstance(module, nn.Module):
            return module
        if _is_copying(args, kwargs):
            self._note_copy(module)
            return module
        if self._is_wanted(kind):
            for owner in kind.__mro__:
                if "__call__" in vars(owner) and issubclass(owner, nn.Module):
                    self._hook_call(owner)
        if not torch.compiler.is_compiling():
            self._note(module, kind, args, kwargs)
        return module

    def _note(self, module: nn.Module, kind: type, args: Any, kwargs: Any) -> None:
        if not args and not kwargs and _needs_arguments(kind):
            return  # it is unpickled
        found: CallSpec | str
        try:
            found = self._construction_of(kind, args, kwargs)
        except NotDescribable as problem:
            found = str(problem)
        # An attribute of an argument is foreign code.
        except FAILURES as error:
            found = f"an argument whose attributes raise {type(error).__name__}"
        key = id(module)
        self._built[key] = (weakref.ref(module, lambda _: self._built.pop(key, None)), found)
        if self._is_wanted(kind):
            self._record(module, found, None)

    def _note_copy(self, module: nn.Module) -> None:
        """Keep the construction of the module that is being copied for its copy."""
        caller = sys._getframe(2)  # noqa: SLF001  # of `copy`, or what makes the new object for it
        frames = [frame for frame in (caller, caller.f_back) if frame is not None]
        original = next((f.f_locals.get("x") for f in frames if f.f_code.co_name == COPIER), None)
        found = self._found(original) if isinstance(original, nn.Module) else None
        if found is not None:
            key = id(module)
            self._built[key] = (weakref.ref(module, lambda _: self._built.pop(key, None)), found)
            self._copied.add(key)

    def _construction_of(self, kind: type, args: Any, kwargs: Any) -> CallSpec:
        arguments = self._arguments(args, kwargs)
        (named,) = self._arguments((kind,), {}).args
        assert isinstance(named, NameSpec)
        return CallSpec(named.path, arguments.args, arguments.kwargs, named.given)

    def _arguments(self, args: Any, kwargs: Any) -> Arguments:
        self._active.is_describing = True
        try:
            with outside_of_modes():
                return Arguments(
                    tuple(describe(value, self.construction) for value in args),
                    {name: describe(value, self.construction) for name, value in kwargs.items()},
                )
        finally:
            self._active.is_describing = False

    def _setstate_hook(self) -> Any:
        original = self._original_setstate

        @functools.wraps(original)
        def setstate(module: nn.Module, state: Any) -> Any:
            # An unpickled module was not built by its constructor, and a copy like another one.
            if id(module) not in self._copied:
                self._built.pop(id(module), None)
            self._copied.discard(id(module))
            return original(module, state)

        return setstate

    def _hook_call(self, owner: type) -> None:
        if owner in self._patched:
            return
        self._patched.add(owner)
        original = vars(owner)["__call__"]

        @functools.wraps(original)
        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not self._is_worth_describing(module):
                return original(module, *args, **kwargs)
            return self._described_call(original, module, args, kwargs)

        owner.__call__ = call  # type: ignore[method-assign]  # a hook

    def _is_worth_describing(self, module: nn.Module) -> bool:
        """Return whether a call of a module is recorded: few of its class were, and it is no inner call."""
        kind = type(module)
        if self._described[kind] >= MOST_DESCRIBED or not self._is_wanted(kind):
            return False
        if vars(self._active).get("is_describing"):
            return False  # a lazy matrix computes its values for the description
        if id(module) in vars(self._active).setdefault("modules", set()):
            return False
        return self._found(module) is not None and not torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]  # of torch

    def _described_call(self, original: Any, module: nn.Module, args: Any, kwargs: Any) -> Any:
        self._described[type(module)] += 1
        try:
            call: Arguments | str = self._arguments(args, kwargs)
        except NotDescribable as problem:
            call = str(problem)
        except FAILURES as error:
            call = f"an argument whose attributes raise {type(error).__name__}"
        self._active.modules.add(id(module))
        try:
            output = original(module, *args, **kwargs)
        finally:
            self._active.modules.discard(id(module))
        found = self._found(module)
        if found is not None:
            self._record(module, found, call)
        return output

    def _record(
        self, module: nn.Module, found: CallSpec | str, call: Arguments | str | None
    ) -> None:
        """Keep a signature, if it is new and among the cheapest of its class."""
        kind = type(module)
        try:
            one = signature_of(module, found, call)
        # The command goes on whatever is amiss with the recording.
        except FAILURES as error:
            one = unwritten(kind, f"an error of the recording, {type(error).__name__}: {error}")
        kept = self._kept.setdefault((kind, call is None), {})
        key = structure_of(one)
        rivals = sorted(kept.values())
        most = kept.get(key, rivals[MOST_KEPT - 1] if len(rivals) >= MOST_KEPT else None)
        if most is not None and one.cost >= most:
            return
        kept[key] = one.cost
        self._keep(one)


@contextlib.contextmanager
def outside_of_modes() -> Iterator[None]:
    """Read tensors such that modes of the command, which may count operations, see none of it."""
    # esper-audit: allow private-torch-api -- torch has no public names for these two
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch(), torch.no_grad():  # noqa: SLF001  # as above
        yield


def _is_copying(args: Any, kwargs: Any) -> bool:
    """Return whether a module is made without its constructor, by copying or unpickling."""
    if args or kwargs:
        return False
    return sys._getframe(2).f_code.co_name in COPIERS  # noqa: SLF001  # the caller's frame


@functools.cache
def _needs_arguments(kind: type) -> bool:
    """Return whether a class cannot be constructed without arguments."""
    try:
        inspect.signature(kind).bind()
    except TypeError:
        return True
    except ValueError:  # a constructor without a signature
        return False
    return False
