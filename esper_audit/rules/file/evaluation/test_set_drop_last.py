"""The rule `test-set-drop-last`: a test set loses its last incomplete batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.evaluation import test_set_drop_last_cases as cases
from esper_audit.rules.rule import Replacement, Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.training.data_loaders import (
    data_set,
    is_held_out,
    is_held_out_by_call,
    loaders_with,
    measuring_comprehension,
    option,
)
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import (
    TrainingFlow,
    TrainingFlows,
    has_no_gradients,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import is_constant

HOOKS = frozenset({"test_dataloader", "val_dataloader", "predict_dataloader"})
SPLITS = frozenset({"test", "val", "valid", "validation", "eval", "dev"})
SPLIT_ARGUMENTS = frozenset({"split", "mode", "subset", "image_set"})
HELD_OUT = "should be measured"
MESSAGE = (
    "`drop_last=True` leaves out up to a batch of the samples that {}. Leave it out of this loader"
)


class TestSetDropLast(Rule):
    """A test set loses its last incomplete batch.

    What: `DataLoader(..., drop_last=True)` of a data set that is made with `train=False` or a test or
    validation split, in Lightning's `test_dataloader` and its like, of a loader that keeps its order beside
    one that shuffles other data, of one function that makes both by an argument, or of a loader that the
    same file uses in a loop of evaluation; also by `partial(DataLoader, drop_last=True)` and
    `**dict(drop_last=True)`.

    Why: up to a batch of samples is never measured, always the same ones. Two batch sizes give two
    results for one model, and a small test set may become empty.

    Quiet: loaders of training data, `drop_last` that is decided by a variable, a loader that the file
    uses for training as well.

    Off unless selected: a reader would merge half of what it reports, as some tests need whole batches.

    Tickets: real code
    """

    contract = "whole-test-set"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "1 of 2 by readers in 77 packages; 6 of 6 in 47 others (sbi, lightning, pytorch-lightning)"
    )
    triggers = Triggers(calls=frozenset({"DataLoader"}), keywords=frozenset({"drop_last"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report loaders of test data that drop the last batch."""
        if not isinstance(node, ast.Call):
            return
        value = option(node, "drop_last", file)
        if value is None or not is_constant(value, True):
            return
        is_own = any(k.value is value for k in node.keywords)
        for call in loaders_with(node, file):
            reason = _reason(call, file)
            if not reason and is_held_out_by_call(call, file):
                yield Violation(call, MESSAGE.format(HELD_OUT))
            elif reason and call is node and is_own:
                fix = Replacement(value, "False", safe=True, description="measure every sample")
                yield Violation(call, MESSAGE.format(reason), fix)
            elif reason:
                yield Violation(call, MESSAGE.format(reason))


def _reason(call: ast.Call, file: FileView) -> str:
    """Return why each sample of a loader counts, empty if it is used for training or unknown."""
    if _is_test_data(call, file) or is_held_out(call, file):
        return HELD_OUT
    return _use(call, file)


def _is_test_data(call: ast.Call, file: FileView) -> bool:
    """Return whether a loader is one of test data by its function or by how its data set is made."""
    functions = file.functions(call)
    if functions and functions[-1].name in HOOKS:
        return True
    data = data_set(call)
    if data is None:
        return False
    is_test = [_is_test_set(made) for made in file.once(Constructors).made_by(data)]
    return bool(is_test) and all(is_test)


def _is_test_set(call: ast.Call) -> bool:
    """Return whether a data set is one of test data: by an argument, or by a folder in a literal path."""
    texts = (c.value for c in scan(call, {ast.Constant}) if isinstance(c, ast.Constant))
    if any(isinstance(text, str) and _is_test_path(text) for text in texts):
        return True
    for keyword in call.keywords:
        value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
        if keyword.arg == "train" and value is False:
            return True
        if keyword.arg in SPLIT_ARGUMENTS and value in SPLITS:
            return True
    return False


def _is_test_path(text: str) -> bool:
    folders = text.replace("\\", "/").strip("/").split("/")
    return len(folders) > 1 and folders[-1] in SPLITS


def _use(call: ast.Call, file: FileView) -> str:
    """Return where a loader is used for an evaluation, empty if it is used for training or unknown."""
    found = ""
    for flow in file.once(TrainingFlows).flows:
        for event in flow.of_kind(EventKind.FORWARD):
            if not event.loops or not _iterates(event.loops[-1], call, file):
                continue
            if not _is_measured(event, flow, file):
                return ""
            found = f"line {event.node.lineno} measures"
    comprehension = None if found else measuring_comprehension(call, file)
    return f"line {comprehension.lineno} measures" if comprehension is not None else found


def _is_measured(event: TrainingEvent, flow: TrainingFlow, file: FileView) -> bool:
    training = flow.of_kind(EventKind.BACKWARD, EventKind.STEP)
    is_pure = not any(other.is_in(event.loops[-1]) for other in training)
    return is_pure and has_no_gradients(event, flow, file)


def _iterates(loop: ast.stmt, call: ast.Call, file: FileView) -> bool:
    """Return whether a loop runs over the loader that a call makes."""
    iterable = loop.iter if isinstance(loop, (ast.For, ast.AsyncFor)) else None
    while isinstance(iterable, ast.Call) and iterable.args:
        iterable = iterable.args[0]
    if iterable is None:
        return False
    return call in file.once(Constructors).made_by(iterable)
