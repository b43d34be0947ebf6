"""The rule `uncut-causal-mask`: a causal mask of the full length is applied to a shorter sequence."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import uncut_causal_mask_cases as cases
from esper_audit.rules.rule import Rule, Triggers, Violation
from esper_audit.source.idioms.attention.causal_masks import (
    MASK_MAKERS,
    holders,
    is_cut,
    is_picked,
    mask_uses,
)
from esper_audit.source.idioms.attention.mask_lengths import (
    is_as_long_as_given,
    is_of_open_length,
)
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name


class UncutCausalMask(Rule):
    """A causal mask of the full length is applied to a shorter sequence.

    What: an attribute or buffer that holds a causal mask and that one place of the class cuts to the
    length of the input (`self.mask[:n, :n]`) while another applies it whole. Also one of the length that
    the constructor is given, applied whole to scores that a softmax follows, with no cut anywhere.

    Why: the branch without the cut works at the full length alone. A shorter text raises, or the mask
    broadcasts against another axis.

    Quiet: a mask that the function has just made itself; one that is cut everywhere; a class that asks
    for one length of its input (`assert x.shape[1] == self.length`); its sizes, and other tensors made
    like it (`mask.new_ones(...)`); a mask that is handed to a function; rows of the mask by their
    positions, as over a cache, which is of the full length.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 131 packages, after mending on them, the known bug is found; 0 of 4 in the "
        "last 65 unseen packages, before mending on them; no finding in 100 packages as widened since"
    )
    triggers = Triggers(calls=MASK_MAKERS, collected=frozenset({"ClassDef", "Call"}))

    VALID = cases.VALID
    INVALID = cases.INVALID

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls."""
        return [node for node in nodes if isinstance(node, ast.Call)]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each place that applies the whole mask of a call."""
        if not isinstance(node, ast.Call) or terminal_name(node.func) not in MASK_MAKERS:
            return
        if not file.functions(node) or not any(
            name.startswith("self.") for name in holders(node, file)
        ):
            return
        uses = [use for use, _ in mask_uses(node, file) if isinstance(use, ast.Attribute)]
        cuts = [use for use in uses if is_cut(use, file)]
        whole = [use for use in uses if use not in cuts and not is_picked(use, file)]
        is_open = not cuts and is_as_long_as_given(node, file)
        for use in whole:
            is_short = bool(cuts) or (is_open and is_of_open_length(use, file))
            if is_short and _is_applied(use, file) and not _is_fresh(use, file):
                how = f"and line {cuts[0].lineno} cuts it" if cuts else "also to a shorter sequence"
                message = f"`{dotted(use)}` of the full length is applied here, {how}"
                yield Violation(use, f"{message}. Cut it to the length of the input.")


def _is_fresh(use: ast.Attribute, file: FileView) -> bool:
    """Return whether a statement in front of a use, in one of the blocks around it, binds the mask."""
    for inner in file.enclosing(use):
        above = file.parent(inner)
        block = (
            next((b for b in blocks(above) if inner in b), [])
            if isinstance(above, ast.stmt)
            else []
        )
        for statement in block[: block.index(inner)] if block else ():
            if _binds(statement, use):
                return True
    return False


def _binds(statement: ast.stmt, use: ast.Attribute) -> bool:
    """Return whether a statement binds an attribute, or registers a buffer of its name."""
    if isinstance(statement, ast.Assign):
        return any(dotted(target) == dotted(use) for target in statement.targets)
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or terminal_name(call.func) != "register_buffer":
        return False
    name = call.args[0] if call.args else None
    return isinstance(name, ast.Constant) and name.value == use.attr


def _is_applied(use: ast.expr, file: FileView) -> bool:
    """Return whether a mask is an operand, an argument of a tensor's method or of torch, or gets a name."""
    above, mask = file.parent(use), dotted(use)
    while isinstance(above, (ast.Attribute, ast.Subscript)) or (
        isinstance(above, ast.Call) and use is above.func
    ):
        if isinstance(above, ast.Attribute) and above.attr.startswith("new_"):
            return False
        use, above = above, file.parent(above)
    if isinstance(above, (ast.BinOp, ast.Compare, ast.UnaryOp)):
        return True
    if isinstance(above, ast.Assign):
        return dotted(above.targets[0]) != mask and not _is_cut_below(above, file)
    if isinstance(above, ast.keyword) and above.arg == "attn_mask":
        return True
    call = file.parent(above) if isinstance(above, ast.keyword) else above
    if not isinstance(call, ast.Call):
        return False
    target = file.resolve(call.func) or ""
    return target.startswith("torch.") or terminal_name(call.func) in (
        "masked_fill",
        "masked_fill_",
    )


def _is_cut_below(statement: ast.Assign, file: FileView) -> bool:
    """Return whether the name of an assignment is cut where it is used."""
    function = file.functions(statement)[-1]
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    return any(node.id == dotted(statement.targets[0]) and is_cut(node, file) for node in names)
