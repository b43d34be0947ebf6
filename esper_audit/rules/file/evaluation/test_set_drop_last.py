"""The rule `test-set-drop-last`: a test set loses its last incomplete batch."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.training.torch_objects import LOADERS
from esper_audit.source.idioms.training.training_events import EventKind, TrainingEvent
from esper_audit.source.idioms.training.training_flow import (
    TrainingFlow,
    TrainingFlows,
    has_no_gradients,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView

HOOKS = frozenset({"test_dataloader", "val_dataloader", "predict_dataloader"})
SPLITS = frozenset({"test", "val", "valid", "validation", "eval", "dev"})
SPLIT_ARGUMENTS = frozenset({"split", "mode", "subset", "image_set"})
MESSAGE = (
    "`drop_last=True` leaves out up to a batch of the samples that {}. Leave it out of this loader"
)


class TestSetDropLast(Rule):
    """A test set loses its last incomplete batch.

    What: `DataLoader(..., drop_last=True)` of a data set that is made with `train=False` or a test or
    validation split, in Lightning's `test_dataloader` and its like, or of a loader that the same file
    uses in a loop of evaluation.

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
    triggers = Triggers(keywords=frozenset({"drop_last"}))

    VALID = (
        Valid(
            "training data",
            """
            from torch.utils.data import DataLoader
            from torchvision.datasets import MNIST

            def loader():
                return DataLoader(MNIST(".", train=True), shuffle=True, drop_last=True)
            """,
        ),
        Valid(
            "a variable decides",
            """
            from torch.utils.data import DataLoader
            from torchvision.datasets import MNIST

            def loader(is_training):
                return DataLoader(MNIST(".", train=False), drop_last=is_training)
            """,
        ),
        Valid(
            "used for training",
            """
            import torch
            from torch.utils.data import DataLoader

            def main(net, data, opt):
                loader = DataLoader(data, drop_last=True)
                for x in loader:
                    net(x).mean().backward()
                    opt.step()
                    opt.zero_grad()
            """,
        ),
        Valid(
            "everything is measured",
            """
            from torch.utils.data import DataLoader

            class Data:
                def test_dataloader(self):
                    return DataLoader(self.held_out, batch_size=32, drop_last=False)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a test split",
            """
            import torch
            from torchvision.datasets import STL10

            held_out = STL10(".", split="test")
            batches = torch.utils.data.DataLoader(held_out, 64, drop_last=True)
            """,
            ((5, MESSAGE.format("should be measured")),),
        ),
        Invalid(
            "a hook of Lightning",
            """
            from torch.utils.data import DataLoader

            class Data:
                def val_dataloader(self):
                    return DataLoader(self.held_out, batch_size=32, drop_last=True)
            """,
            ((5, MESSAGE.format("should be measured")),),
        ),
        Invalid(
            "a loader that an evaluation uses, one call away",
            """
            import torch
            from torch.utils.data import DataLoader

            def score(net, batches):
                net.eval()
                with torch.no_grad():
                    return [net(x) for x in batches]


            def accuracy(net, batches):
                net.eval()
                right = 0
                with torch.no_grad():
                    for x, y in batches:
                        right += (net(x).argmax(1) == y).sum().item()
                return right / len(batches.dataset)


            def main(net, data):
                loader = DataLoader(data, batch_size=64, drop_last=True)
                return accuracy(net, loader)
            """,
            ((20, MESSAGE.format("line 15 measures")),),
        ),
    )

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report loaders of test data that drop the last batch."""
        call = node if isinstance(node, ast.Call) else None
        if call is None or file.resolve(call.func) not in LOADERS:
            return
        value = next((k.value for k in call.keywords if k.arg == "drop_last"), None)
        if not isinstance(value, ast.Constant) or value.value is not True:
            return
        reason = "should be measured" if _is_test_data(call, file) else _use(call, file)
        if reason:
            fix = Replacement(value, "False", safe=True, description="measure every sample")
            yield Violation(call, MESSAGE.format(reason), fix)


def _is_test_data(call: ast.Call, file: FileView) -> bool:
    """Return whether a loader is one of test data by its function or by how its data set is made."""
    functions = file.functions(call)
    if functions and functions[-1].name in HOOKS:
        return True
    given = next((k.value for k in call.keywords if k.arg == "dataset"), None)
    data = given if given is not None else next(iter(call.args), None)
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
    return found


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
