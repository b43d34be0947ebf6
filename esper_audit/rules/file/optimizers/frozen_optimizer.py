"""The rule `frozen-optimizer`: an optimizer holds nothing that can train."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.optimizers import frozen_optimizer_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.idioms.local_flow.following_statements import (
    assigned_to,
    following,
    preceding,
)
from esper_audit.source.idioms.local_flow.local_calls import LocalCalls
from esper_audit.source.idioms.optimizers.frozen_parameters import (
    freezes_all,
    frozen_in_class,
    may_unfreeze,
    trains,
)
from esper_audit.source.idioms.optimizers.optimizer_parameters import (
    given_parameters,
    module_expressions,
)
from esper_audit.source.idioms.training.torch_objects import OPTIMIZERS, is_optimizer
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import text_of
from esper_audit.text.phrases import quoted

MESSAGE = (
    "`{}` holds only frozen parameters: line {} freezes all of `{}`, and nothing unfreezes any. "
    "Give it parameters that train"
)
EMPTY = "`{}` is given no parameters. Give it those that train"


class FrozenOptimizer(Rule):
    """An optimizer holds nothing that can train.

    What: an optimizer that is given the parameters of one module or of parts of it, all of which the same code froze
    before, or freezes afterwards in front of the training, by itself or with the module that holds it;
    the parameters of a part that the constructor
    of its class freezes for good; an optimizer that is given an empty list.

    Why: `step()` changes nothing. The loss stays where it is, or falls only by what other parts learn.

    Quiet: parts that are frozen by a condition; a new head, a wrapper or any other change of the module
    between freezing and optimizer; a module that is frozen after the training.

    Tickets: real code
    """

    contract = "optimizer-parameters"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "0 findings in 47 packages (monai, speechbrain, labml-nn, catalyst, deepchem and 42 "
        "more) and in 65 unseen ones; 0 of 1 in about 250 after it was widened, mended since; "
        "no finding more in 63 packages for parts of a frozen model"
    )
    triggers = Triggers(calls=OPTIMIZERS)

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report optimizers of frozen parameters."""
        if not isinstance(node, ast.Call) or not is_optimizer([file.resolve(node.func) or ""]):
            return
        given = given_parameters(node)
        if given is None:
            return
        code = quoted(file.code(node))
        if isinstance(given, (ast.List, ast.Tuple)) and not given.elts:
            yield Violation(node, EMPTY.format(code))
            return
        held = [*module_expressions(given, file.once(Constructors))]
        chains = [[text_of(part), *_owners(part)] for part in held]
        shared = [name for name in (chains or [[]])[0] if all(name in each for each in chains)]
        for frozen in shared:
            line = _line_before(node, frozen, file) or _line_after(node, frozen, file)
            line = line or _line_of_callers(node, frozen, file)
            if frozen == text_of(held[0]):
                line = line or _line_in_class(node, held[0], file)
            if line:
                yield Violation(node, MESSAGE.format(code, line, frozen))
                return


def _owners(part: ast.expr) -> Iterator[str]:
    """Yield the modules that hold a part, the innermost first: `net.body` and `net` for `net.body[0]`."""
    while isinstance(part, (ast.Attribute, ast.Subscript)):
        part = part.value
        yield text_of(part)


def _line_before(place: ast.Call, module: str, file: FileView) -> int:
    """Return the line in front of a place that freezes a module, 0 if it may train."""
    for statement in preceding(place, file):
        if freezes_all(statement, module, file):
            return statement.lineno
        if may_unfreeze(statement, module):
            return 0
    return 0


def _line_in_class(optimizer: ast.Call, module: ast.expr, file: FileView) -> int:
    """Return the line on which the class of a model freezes what an optimizer is given, 0 if it may train."""
    line = frozen_in_class(module, file)
    name = text_of(module)
    owner = name.rpartition(".")[0] or name
    if not line or any(may_unfreeze(later, name) for later in following(optimizer, file)):
        return 0
    for statement in preceding(optimizer, file):
        if owner in (target for target, _ in assigned_to(statement)):
            return line
        if may_unfreeze(statement, name) or may_unfreeze(statement, owner):
            return 0
    return line


def _line_of_callers(optimizer: ast.Call, module: str, file: FileView) -> int:
    """Return the line in front of a call of the function around an optimizer that freezes what it is given.

    0 unless each call of the file has one.
    """
    functions, calls = file.functions(optimizer), file.once(LocalCalls)
    uses = calls.uses(functions[-1]) if functions else ()
    passed = [(call, calls.arguments(call, functions[-1]).get(module)) for call in uses]
    lines = [_line_before(c, text_of(v), file) if v is not None else 0 for c, v in passed]
    return lines[0] if lines and all(lines) else 0


def _line_after(optimizer: ast.Call, module: str, file: FileView) -> int:
    """Return the line between an optimizer and the training that freezes a module, 0 without one."""
    frozen = 0
    for statement in following(optimizer, file):
        if trains(statement):
            return frozen
        if freezes_all(statement, module, file):
            frozen = statement.lineno
        elif may_unfreeze(statement, module):
            frozen = 0
    return 0
