"""The rule `causal-padding`: a convolution of a causal module is padded on both sides."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import causal_padding_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.attention.causal_masks import guards, required_arguments
from esper_audit.source.idioms.attention.paddings import (
    LAYERS,
    is_even,
    is_of_one_amount,
    is_padded_apart,
    is_split,
    padding_of,
)
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.syntax.ast_walk import names_in, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name
from esper_audit.text.phrases import quoted

CONVOLUTIONS = frozenset({"Conv1d", "Conv2d", "Conv3d", "conv1d", "conv2d", "conv3d", "LazyConv1d"})
CAUSAL_CLASS = re.compile(r"Causal|causal_conv|(?<![Nn]on)_causal")
NON_CAUSAL_CLASS = re.compile(r"(?i)non_?causal|acausal|de_?conv|transpose")
FLAG = re.compile(r"^(is_|use_)?causal$")
CUTTING = ("narrow", "chomp", "trim", "crop")
RUNNING = frozenset({"forward", "_conv_forward"})


class CausalPadding(Rule):
    """A convolution of a causal module is padded on both sides.

    What: a convolution of torch with a padding that is not zero, in a class whose name says causal or
    that has a `causal` flag (there a `Conv1d` whose padding does not depend on the flag), where no
    method cuts the end off again; `padding="same"`; `F.pad` (also in a function that only this class
    calls) or a padding layer by the same amount or by two halves of one on both sides, or by any two parts
    of one amount where the flag is on.

    Why: half of the padding lies behind the sequence, so that every output sees `kernel // 2` later
    positions. The loss improves, and generation does not work.

    Quiet: an output that is cut (`[..., :-p]`, `[..., :length]`, `narrow`, a chomp layer); a kernel of
    one; a convolution under a condition that the flag is off; transposed convolutions.

    Off unless selected: a convolution that pads both sides mostly cuts the right side elsewhere.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    default = False
    precision = "0 of 2 in 118 packages and 0 of 6 in 49, before mending on each, no finding since"
    triggers = Triggers(
        calls=CONVOLUTIONS | LAYERS | {"pad", "__init__"},
        collected=frozenset({"ClassDef"}),
        parts=frozenset({"causal", "Causal"}),
    )

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls that pad."""
        return [
            node for node in nodes if isinstance(node, ast.Call) and padding_of(node) is not None
        ]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a padding that reaches beyond the end of a causal module's sequence."""
        padding = padding_of(node) if isinstance(node, ast.Call) else None
        owner = _owner(node, file) if isinstance(node, ast.Call) else None
        if padding is None or owner is None or not isinstance(node, ast.Call):
            return
        family = file.once(class_table).family(owner)
        function = file.functions(node)[-1] if file.functions(node) else None
        is_named = CAUSAL_CLASS.search(owner.name) and not NON_CAUSAL_CLASS.search(owner.name)
        is_flagged = _has_flag(family) and terminal_name(node.func) in ("Conv1d", "conv1d")
        if function is None or not _is_convolution(node, family, file) or _is_cut(family, file):
            return
        if not _is_causal_branch(node, function, file) and (
            not (is_named or is_flagged)
            or _depends_on_flag(node, padding, function, file)
            or not (is_even(padding) or is_split(padding, file))
        ):
            return
        if is_padded_apart(padding, function, family) or not is_of_one_amount(padding, file):
            return
        message = (
            f"padding {quoted(file.code(padding))} lies on both sides of a causal module's sequence"
        )
        yield Violation(
            padding,
            f"{message}: outputs see later positions. Pad the left side alone, or cut the end.",
        )


def _owner(call: ast.Call, file: FileView) -> ast.ClassDef | None:
    """Return the class around a call, or the one class that calls the function around it."""
    classes = [d for d in file.definitions(call) if isinstance(d, ast.ClassDef)]
    functions = file.functions(call)
    if classes or not functions:
        return classes[-1] if classes else None
    uses = file.calls(functions[0].name)
    found = [_owner(u, file) if functions[0] not in file.functions(u) else None for u in uses]
    return found[0] if len(set(found)) == 1 else None


def _is_causal_branch(call: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether a call runs only where a flag of causality is on."""
    return any(
        FLAG.search(name.rpartition(".")[2])
        for test, outcome in guards(call, function, file)
        for name in required_arguments(test, outcome)
    )


def _is_convolution(call: ast.Call, family: ClassFamily, file: FileView) -> bool:
    """Return whether a call makes or is a convolution of torch, or pads for one."""
    if terminal_name(call.func) == "__init__":
        bases = {base.rpartition(".")[2] for base in family.foreign_bases}
        is_own = ast.unparse(call.func) == "super().__init__" and not bases.isdisjoint(CONVOLUTIONS)
        return is_own and _runs_itself(family)
    return (file.resolve(call.func) or "").startswith("torch.nn.")


def _runs_itself(family: ClassFamily) -> bool:
    """Return whether a convolution keeps the forward of torch, or calls it or the function in its own."""
    forward = family.method("forward")
    calls = scan(forward, {ast.Call}) if forward is not None else []
    names = {terminal_name(c.func) for c in calls if isinstance(c, ast.Call)}
    return forward is None or any(n in RUNNING or n.startswith("conv") for n in names)


def _has_flag(family: ClassFamily) -> bool:
    made = family.method("__init__")
    return made is not None and any(FLAG.search(p.arg) for p in parameters(made.args))


def _depends_on_flag(call: ast.Call, padding: ast.expr, function: Function, file: FileView) -> bool:
    """Return whether a padding, the names in it or the place of the call depend on a causal flag."""
    tests = [test for test, _ in guards(call, function, file)]
    names = names_in(padding)
    for node in scan(function, {ast.Assign}):
        if isinstance(node, ast.Assign) and dotted(node.targets[0]) in names | {
            ast.unparse(padding)
        }:
            tests += [node.value, *(test for test, _ in guards(node.value, function, file))]
    return any("causal" in ast.unparse(test).lower() for test in [padding, *tests])


def _is_cut(family: ClassFamily, file: FileView) -> bool:
    """Return whether a method of the class cuts the end off a tensor."""
    classes = file.once(class_table).by_name
    for member in family.members:
        for node in scan(member.definition, {ast.Slice, ast.Call}):
            called = terminal_name(node.func) if isinstance(node, ast.Call) else ""
            layer = classes.get(called)
            if _is_end_cut(node) or any(word in called.lower() for word in CUTTING):
                return True
            if layer is not None and any(map(_is_end_cut, scan(layer, {ast.Slice}))):
                return True
    return False


def _is_end_cut(node: ast.AST) -> bool:
    return isinstance(node, ast.Slice) and node.upper is not None
