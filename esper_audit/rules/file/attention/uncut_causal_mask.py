"""The rule `uncut-causal-mask`: a causal mask of the full length is applied to a shorter sequence."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.attention.causal_masks import (
    MASK_MAKERS,
    holders,
    is_cut,
    is_picked,
    mask_uses,
)
from esper_audit.source.syntax.enclosing import blocks
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name


class UncutCausalMask(Rule):
    """A causal mask of the full length is applied to a shorter sequence.

    What: an attribute or buffer that holds a causal mask and that one place of the class cuts to the
    length of the input (`self.mask[:n, :n]`) while another applies it whole.

    Why: the branch without the cut works at the full length alone. A shorter text raises, or the mask
    broadcasts against another axis.

    Quiet: a mask that the function has just made itself; one that is applied whole everywhere (a fixed
    length), or cut everywhere; its sizes; a mask that is handed to a function; rows of the mask by their
    positions, as over a cache, which is of the full length.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = (
        "0 of 0 by readers in 131 packages, after mending on them, the known bug is found; 0 of 4 "
        "in the last 65 unseen packages, before mending on them"
    )
    triggers = Triggers(calls=MASK_MAKERS, collected=frozenset({"ClassDef", "Call"}))

    VALID = (
        Valid(
            "rows of the positions of the queries, over a whole cache of keys",
            """
            import torch
            from torch import nn

            class Decoder(nn.Module):
                def __init__(self, context):
                    self.mask = torch.tril(torch.ones(context, context, dtype=torch.bool))
                def forward(self, q, k, v, at, start):
                    n = q.shape[-2]
                    if self.cache:
                        mask = self.mask.narrow(0, start, n) if start else self.mask[at]
                        return self.attend(q, *self.cache, mask, self.mask[None, start, None, :])
                    return self.attend(q, k, v, self.mask[:n, :n], None)
            """,
        ),
        Valid(
            "a mask that the function has just made at the length of the input",
            """
            import torch
            from torch import nn

            class Bias(nn.Module):
                def forward(self, dots):
                    n = dots.shape[-1]
                    if self.bias is not None and self.bias.shape[-1] >= n:
                        return dots + self.bias[..., :n]
                    made = torch.ones(n, n).triu(1) * -1e9
                    self.register_buffer("bias", made, persistent=False)
                    return dots + self.bias
            """,
        ),
        Valid(
            "a mask that every branch cuts",
            """
            import torch
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, context):
                    super().__init__()
                    self.register_buffer("mask", torch.ones(context, context).triu(1).bool())

                def forward(self, scores, extra):
                    n = scores.shape[-1]
                    if extra is not None:
                        return scores.masked_fill(self.mask.to(scores.device)[:n, :n] | extra, -1e9)
                    return scores.masked_fill(self.mask[:n, :n], -1e9)
            """,
        ),
        Valid(
            "a mask that is moved, and cut where it is returned",
            """
            import torch
            from torch import nn

            class Decoder(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.future = torch.empty(0)

                def mask(self, x):
                    n = x.size(0)
                    if self.future.size(0) < n:
                        self.future = torch.triu(torch.full((n, n), float("-inf")), 1)
                    self.future = self.future.to(x)
                    return self.future[:n, :n]
            """,
        ),
        Valid(
            "a fixed length",
            """
            import torch
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, context):
                    super().__init__()
                    self.mask = torch.ones(context, context).tril()

                def forward(self, scores):
                    return scores * self.mask + self.mask.sum()
            """,
        ),
        Valid(
            "a mask that is asked for its size, cut under another name, or handed to a function",
            """
            import torch
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, context):
                    super().__init__()
                    self.mask = torch.full((context, context), float("-inf")).triu(1)

                def forward(self, scores):
                    n = min(scores.shape[-1], self.mask.shape[0])
                    mask = self.mask
                    fitted = fit(self.mask, n)
                    return scores + mask[:n, :n] + self.mask[:n, :n] + fitted
            """,
        ),
    )
    INVALID = (
        Invalid(
            "one branch without a cut",
            """
            import torch
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, width, context=64):
                    super().__init__()
                    self.register_buffer("mask", torch.full((context, context), float("-inf")).triu(1))

                def forward(self, x, pad):
                    length = x.shape[1]
                    if pad is not None:
                        mask = self.mask.unsqueeze(0) + pad
                    else:
                        mask = self.mask[:length, :length]
                    return ((x @ x.mT + mask).softmax(-1)) @ x
            """,
            (
                (
                    12,
                    (
                        "`self.mask` of the full length is applied here, and line 14 cuts it. Cut it to the "
                        "length of the input."
                    ),
                ),
            ),
        ),
        Invalid(
            "a mask that another method cuts",
            """
            import torch
            from torch import nn

            class Tower(nn.Module):
                def __init__(self, context):
                    super().__init__()
                    causal = torch.tril(torch.ones(context, context))
                    self.register_buffer("causal", causal)

                def step(self, scores, t):
                    return scores.masked_fill(self.causal[t : t + 1, : t + 1] == 0, -1e9)

                def forward(self, scores):
                    return scores.masked_fill(self.causal == 0, -1e9)
            """,
            (
                (
                    14,
                    (
                        "`self.causal` of the full length is applied here, and line 11 cuts it. Cut it to the "
                        "length of the input."
                    ),
                ),
            ),
        ),
        Invalid(
            "a keyword and a local name",
            """
            import torch
            from torch import nn
            from torch.nn import functional as F

            class Tower(nn.Module):
                def __init__(self, context):
                    super().__init__()
                    self.mask = torch.ones(context, context).tril().bool()

                def forward(self, q, k, v, short):
                    n = q.shape[-2]
                    if short:
                        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask[:n, :n])
                    mask = self.mask
                    return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask) + mask
            """,
            (
                (
                    14,
                    (
                        "`self.mask` of the full length is applied here, and line 13 cuts it. Cut it to the "
                        "length of the input."
                    ),
                ),
                (
                    15,
                    (
                        "`self.mask` of the full length is applied here, and line 13 cuts it. Cut it to the "
                        "length of the input."
                    ),
                ),
            ),
        ),
    )

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
        for use in whole:
            if cuts and _is_applied(use, file) and not _is_fresh(use, file):
                message = f"`{dotted(use)}` of the full length is applied here, and line {cuts[0].lineno} cuts it"
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
