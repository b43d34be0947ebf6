"""Events of a training loop: what a call does to gradients, parameters, learning rates and modes."""

from __future__ import annotations

import ast
import enum

import msgspec

from esper_audit.source.idioms.branches.exclusive_tests import are_exclusive
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.training.torch_objects import (
    LoopNames,
    is_known,
    is_optimizer,
    is_scaler,
    is_scheduler,
    scaler_of,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name, text_of

READERS = frozenset({"parameters", "named_parameters", "state_dict"})
LOOPS = (ast.For, ast.AsyncFor, ast.While)
Path = tuple[tuple[ast.stmt, int], ...]


class EventKind(enum.Enum):
    """What an event does."""

    ZERO = "clears gradients"
    FORWARD = "runs a module"
    BACKWARD = "computes gradients"
    UNSCALE = "unscales gradients"
    CLIP = "clips gradients"
    STEP = "changes parameters"
    SCHEDULE = "changes the learning rate"
    TRAIN = "sets train mode"
    EVAL = "sets eval mode"


class TrainingEvent(msgspec.Struct, frozen=True, eq=False):
    """One event of a function, in the order of execution.

    `subject` is the text of what it happens to, in the names of the function whose flow it is: the
    optimizer of a step, the loss of a backward, the module of a mode. `path` are the compound
    statements around it with the number of the block, `helper` the name of the function that it was
    found in, empty for the function itself. `is_scaled` is whether a gradient scaler is involved.
    """

    kind: EventKind
    node: ast.expr
    subject: str
    path: Path = ()
    helper: str = ""
    is_scaled: bool = False
    is_certain: bool = True

    @property
    def loops(self) -> tuple[ast.stmt, ...]:
        """The loops around the event, outermost first."""
        return tuple(
            statement for statement, number in self.path if is_loop(statement) and number == 0
        )

    def is_in(self, loop: ast.stmt) -> bool:
        """Return whether the event happens in each round of a loop, conditions aside."""
        return loop in self.loops

    def conditions(self, loop: ast.stmt | None = None) -> list[tuple[str, bool]]:
        """Return the tests of the `if` statements around the event, inside a loop where one is given."""
        path = self.path
        if loop is not None:
            path = path[[statement for statement, _ in path].index(loop) + 1 :]
        return [(text_of(s.test), n == 0) for s, n in path if isinstance(s, ast.If)]

    def is_exclusive_with(self, other: TrainingEvent) -> bool:
        """Return whether the two events lie on different branches of one condition."""
        mine, theirs = dict(self.path), dict(other.path)
        for statement, number in mine.items():
            if not is_loop(statement) and theirs.get(statement, number) != number:
                return True
        return are_exclusive(self.conditions(), {*other.conditions()})

    def inside(self, path: Path, names: dict[str, str], helper: str) -> TrainingEvent:
        """Return the event as the caller of its function sees it."""
        head, dot, rest = self.subject.partition(".")
        subject = names.get(head, head) + dot + rest
        path = path + self.path
        return msgspec.structs.replace(self, path=path, subject=subject, helper=helper)


def is_loop(statement: ast.stmt) -> bool:
    """Return whether a statement is a loop."""
    return isinstance(statement, LOOPS)


class EventReader:
    """The events of single calls of a file."""

    CLEARING = ("zero_grad", "zero_gradient", "clear_grad", "reset_grad")
    CLIPPING = frozenset(
        {"clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_gradients"}
    )
    MODES = frozenset({"train", "eval"})
    NAMES = (
        frozenset({"backward", "manual_backward", "step", "unscale_", "unscale_gradients", "zero_"})
        | CLIPPING
        | MODES
    )

    def __init__(self, file: FileView) -> None:
        self._file = file
        self._origins = file.once(Constructors)
        self._modules = self._module_names()

    def is_event(self, call: ast.Call) -> bool:
        """Return whether a call may be an event other than a forward pass, by its name."""
        last = terminal_name(call.func)
        return last in self.NAMES or any(word in last for word in self.CLEARING)

    def read(self, call: ast.Call) -> TrainingEvent | None:
        """Return the event of a call, None if it is none."""
        if not self.is_event(call):
            name = dotted(call.func)
            if name in self._modules:
                return TrainingEvent(EventKind.FORWARD, call, name)
            return None
        last = terminal_name(call.func)
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        if last in self.CLIPPING:
            return TrainingEvent(EventKind.CLIP, call, _first_argument(call))
        if receiver is None:
            is_zero = any(word in last for word in self.CLEARING)
            return TrainingEvent(EventKind.ZERO, call, "") if is_zero else None
        if last in self.MODES:
            return self._mode(call, receiver, last)
        if last == "step":
            return self._step(call, receiver)
        if last in ("backward", "manual_backward"):
            return self._backward(call, receiver)
        if last in ("unscale_", "unscale_gradients"):
            return TrainingEvent(EventKind.UNSCALE, call, _first_argument(call))
        if last == "zero_":
            is_gradient = "grad" in text_of(receiver).split(".")
            return TrainingEvent(EventKind.ZERO, call, "") if is_gradient else None
        return TrainingEvent(EventKind.ZERO, call, text_of(receiver))

    def _backward(self, call: ast.Call, receiver: ast.expr) -> TrainingEvent:
        is_scaled = scaler_of(receiver) is not None
        loss = receiver.args[0] if is_scaled and isinstance(receiver, ast.Call) else receiver
        if call.args and not is_scaled and not isinstance(call.args[0], ast.Starred):
            loss = call.args[0]
        return TrainingEvent(EventKind.BACKWARD, call, text_of(loss), is_scaled=is_scaled)

    def _step(self, call: ast.Call, receiver: ast.expr) -> TrainingEvent | None:
        origins = self._origins.of(receiver)
        if is_scheduler(origins):
            return TrainingEvent(EventKind.SCHEDULE, call, text_of(receiver))
        name = dotted(receiver)
        if call.args and (is_scaler(origins) or name in self._file.once(LoopNames).scalers):
            subject = text_of(call.args[0])
            return TrainingEvent(EventKind.STEP, call, subject, is_scaled=True)
        if is_optimizer(origins) or name in self._file.once(LoopNames).optimizers:
            return TrainingEvent(EventKind.STEP, call, text_of(receiver))
        if call.args and self._steps_optimizer(call.args[0]):
            return TrainingEvent(EventKind.STEP, call, text_of(call.args[0]), is_scaled=True)
        if call.args or call.keywords:
            return None
        is_certain = not is_known(origins) and name not in ("", "self")
        return TrainingEvent(EventKind.STEP, call, text_of(receiver), is_certain=is_certain)

    def _steps_optimizer(self, argument: ast.expr) -> bool:
        """Return whether the argument of a `step` is an optimizer, as for a gradient scaler."""
        names = self._file.once(LoopNames).optimizers
        return is_optimizer(self._origins.of(argument)) or dotted(argument) in names

    def _mode(self, call: ast.Call, receiver: ast.expr, last: str) -> TrainingEvent | None:
        name = dotted(receiver)
        is_module = self._is_own_module(receiver) if name == "self" else name in self._modules
        if not is_module:
            return None
        if len(call.args) > (last == "train"):
            return None  # an evaluator that is given the model
        if self._is_score(call):
            return None
        argument = call.args[0] if call.args else None
        is_eval = last == "eval" or (isinstance(argument, ast.Constant) and argument.value is False)
        return TrainingEvent(EventKind.EVAL if is_eval else EventKind.TRAIN, call, name)

    def is_on_module(self, call: ast.Call) -> bool:
        """Return whether a call runs a method of a module that is none of the events."""
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        return (
            receiver is not None and not self.is_event(call) and dotted(receiver) in self._modules
        )

    def _is_own_module(self, node: ast.expr) -> bool:
        """Return whether the object of a method is a module by its class."""
        table = self._file.once(class_table)
        classes = [d for d in self._file.definitions(node) if isinstance(d, ast.ClassDef)]
        return bool(classes) and table.family(classes[-1]).is_module

    def _is_score(self, call: ast.Call) -> bool:
        """Return whether the result of `eval()` is unpacked or read by names, as no module is."""
        statement = self._file.enclosing(call)[-1]
        if not isinstance(statement, ast.Assign) or statement.value is not call:
            return False
        target = statement.targets[0]
        if isinstance(target, ast.Tuple):
            return True
        functions = self._file.functions(call)
        reads = scan(functions[-1] if functions else self._file.tree, {ast.Subscript})
        return any(
            isinstance(read, ast.Subscript)
            and isinstance(read.slice, ast.Constant)
            and isinstance(read.slice.value, str)
            and dotted(read.value) == dotted(target)
            for read in reads
        )

    def _module_names(self) -> frozenset[str]:
        """Return the names of a file that are modules by the methods that are called on them."""
        found = set()
        for call in self._file.calls(*self.MODES, *READERS):
            if not isinstance(call.func, ast.Attribute):
                continue
            if call.func.attr in READERS or len(call.args) + len(call.keywords) <= 1:
                found.add(dotted(call.func.value))
        return frozenset(found - {"", "self", "torch"})


def _first_argument(call: ast.Call) -> str:
    return text_of(call.args[0]) if call.args else ""
