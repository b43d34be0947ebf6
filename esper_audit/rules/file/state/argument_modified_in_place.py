"""The rule `argument-modified-in-place`: a function with a result writes into what its caller owns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.state import argument_modified_in_place_cases as cases
from esper_audit.rules.rule import Options, Rule, Triggers, Violation
from esper_audit.source.idioms.aliasing.alias_flow import ArgumentWrite
from esper_audit.source.idioms.aliasing.announced_writes import has_choice, is_announced
from esper_audit.source.idioms.aliasing.argument_flows import DEPTH, argument_flows
from esper_audit.source.idioms.aliasing.expected_writes import (
    has_result,
    is_expected_of,
    is_filling,
    is_of_callee,
    is_partial,
    is_unseen,
)
from esper_audit.source.idioms.aliasing.shared_storage import has_write_method, is_item_removal
from esper_audit.source.idioms.aliasing.tensor_parameters import (
    ArgumentKind,
    argument_kind,
)
from esper_audit.source.idioms.aliasing.written_values import is_of_tensor, is_tensor_of_forward
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, parameters, terminal_name
from esper_audit.source.syntax.source import has_word
from esper_audit.text.phrases import quoted

ENTRY_POINTS = frozenset({"forward", "__call__"})
OUTPUT = re.compile(
    r"(^|_)(out|outs|outputs?|caches?|buf|buffer|past|dst|dest(ination)?|results?|acc)(_|\d|$)"
)


class ArgumentModifiedInPlaceOptions(
    Options, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """`expected`: also report writes that may be the task of the function, or are of no effect on some path."""

    expected: bool = False


class ArgumentModifiedInPlace(Rule):
    """A function with a result writes into the tensors of its caller.

    What: a `forward`, or a public function that returns a value, in which an argument is assigned to by
    item, by `+=` and the like or by a method with a trailing underscore: directly, through a view of it
    (`squeeze`, a slice, `reshape`, a row in a loop), through another name, in a helper of the file or in
    the modules of a list that a loop runs through; and
    a `forward` that pops an item of the dict that it is given.

    Why: the caller's features, targets or initial condition change without a word. The second use of
    them, a retry, a residual connection or the next epoch on a cached batch computes something else,
    and autograd raises where the values were saved for the backward pass.

    Quiet: a function whose name ends in an underscore or that returns nothing; a parameter that is named
    as output or cache; a docstring or a comment on the line that speaks of the modification; `inplace`
    and `copy` flags; a copy on every path; assignments by key to a dict, unless they replace an item by
    what is computed from it; a shape method on a view of its own. Without the option `expected` also methods
    other than `forward`, functions that return the argument, the slots of a list by number and of a dict
    that is returned, a name with other values on some path, a helper that fills in a constant.

    Off by default: a third of the writes found in packages are what the callers count on: kernels,
    augmentations, steps of a decoder.

    Tickets: real code
    """

    contract = "untouched-arguments"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "4 of 13 by readers in 27 packages seen last; before: 7 of 7 by readers in 28 packages, after "
        "mending on them; 7 of 35 before; 19 of 57 in 49 packages more, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"Assign", "AugAssign", "Expr", "Return"}),
        keywords=frozenset({"out", "inplace"}),
        collected=frozenset({"Call", "ClassDef"}),
        words=frozenset({"torch"}),
    )

    Options = ArgumentModifiedInPlaceOptions
    options: ArgumentModifiedInPlaceOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep assignments to items, steps, and statements that call a method with a trailing underscore."""
        return [node for node in nodes if _may_write(node)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the first write into each argument."""
        functions = file.functions(node)  # type: ignore[arg-type]  # the nodes of the triggers have places
        if not functions or not parameters_of(functions[-1]) or not _may_write(node):
            return
        if not has_word(file.source.data, b"torch"):
            return
        function = functions[-1]
        flows = file.once(argument_flows)
        if not flows.may_write(node, function):
            return
        places = {
            node,
            *(part for part in scan(node, {ast.Call}) if node.__class__ is not ast.Call),
        }
        for write in flows.first_writes(function):
            if write.node in places and not is_of_callee(write, file.resolve):
                judged = self._judged(write, function, file)
                yield from (_at_write(found, write, function, file) for found in judged)

    def _judged(
        self, write: ArgumentWrite, function: Function, file: FileView, depth: int = DEPTH
    ) -> Iterator[Violation]:
        """Report a write where it is, or at the calls of this file that hand over what is used again."""
        flows = file.once(argument_flows)
        calls = [] if has_choice(function) else list(flows.callers(function))
        is_entry = function.name in ENTRY_POINTS
        if depth == DEPTH and not self._counts(write, function, file):
            return
        if not flows.is_internal(function) and (not calls or is_entry):
            yield from self._violations(write, function, file)
            return
        if depth == DEPTH and not self.options.expected and is_filling(write, function, flows):
            return
        for call, caller in calls:
            if caller.name == "__call__":
                # A transform of data hands its input to its own helpers by design.
                continue
            written = [inner for inner in flows.first_writes(caller) if inner.node is call]
            for inner in written if depth else ():
                yield from self._judged(inner, caller, file, depth - 1)
            given = [] if written else list(flows.written_again_read(call, caller))
            if given and not is_announced(write, function, file):
                message = f"`{quoted(file.code(call))}` writes into `{given[0].id}`, which is read again below"
                yield Violation(call, f"{message}. Write into a copy in `{function.name}`.")

    def _counts(self, write: ArgumentWrite, function: Function, file: FileView) -> bool:
        """Return whether the caller sees the write, and need not expect it."""
        if is_unseen(write, function):
            return False
        if not (is_of_tensor(write, function, file) or is_tensor_of_forward(write, function, file)):
            return False
        kind = argument_kind(function, write.parameter, write.parameter, file.resolve)
        flow = file.once(argument_flows).flow(function)
        is_tensor = kind is ArgumentKind.TENSOR
        return self.options.expected or not is_partial(write, function, flow, is_tensor)

    def _violations(
        self, write: ArgumentWrite, function: Function, file: FileView
    ) -> Iterator[Violation]:
        name, target = write.parameter, file.code(write.target)
        flows = file.once(argument_flows)
        if not self.options.expected and is_expected_of(function, write, flows, file):
            return
        is_ours = not OUTPUT.search(name) and flows.is_first(write)
        if is_ours and has_result(function) and not is_announced(write, function, file):
            through = "" if target.startswith(name) else f" (`{quoted(target)}` shares its storage)"
            yield Violation(
                write.node,
                f"`{quoted(file.code(write.node))}` in `{function.name}` changes the caller's "
                f"`{name}`{through}. Write into a copy.",
                argument=name,
            )


def _at_write(
    found: Violation, write: ArgumentWrite, function: Function, file: FileView
) -> Violation:
    """Return what was found in a caller's caller as a violation where a public function writes."""
    call = found.node
    if not isinstance(call, ast.Call) or call is write.node:
        return found
    if terminal_name(call.func) == function.name or file.once(argument_flows).is_internal(function):
        return found
    code, line = quoted(file.code(write.node)), call.lineno
    message = f"`{code}` in `{function.name}` changes what the call on line {line} is given"
    return Violation(write.node, f"{message}. Write into a copy.", argument=write.parameter)


def parameters_of(function: Function) -> list[str]:
    """Return the names of the parameters of a function."""
    return [parameter.arg for parameter in parameters(function.args)]


def _may_write(node: ast.AST) -> bool:
    if node.__class__ is ast.AugAssign or node.__class__ is ast.Call:
        return True
    if isinstance(node, ast.Assign) and any(t.__class__ is ast.Subscript for t in node.targets):
        return True
    value = node.value  # type: ignore[attr-defined]  # the other node types of the triggers have a value
    return isinstance(value, ast.Call) and (
        is_item_removal(value) or any(map(has_write_method, [value, *value.args]))
    )
