"""The rule `unknown-keyword`: a call passes a keyword that the called function does not take."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity, Span
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Replacement, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.interfaces.keywords import (
    OwnFunctions,
    has_numpy_alias,
    similar_name,
    torch_keywords,
    torch_keywords_by_name,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, terminal_name


class UnknownKeyword(Rule):
    """A call passes a keyword that the called function does not take.

    What: a keyword of a call whose function, class or method stands in the same file and takes other
    keywords; and a misspelt keyword of a function or layer of torch (`is_casual`).

    Why: the call raises a TypeError, at the first batch or in the one branch that reaches it.

    Quiet: `**kwargs` in the signature or in the call, decorators that may change the signature,
    functions that are defined twice, methods that a class of the file overrides with the keyword;
    names of torch that resemble no keyword, which another version may have; NumPy's names of a keyword,
    which functions of torch take as well (`keepdims`, `axis`); calls below a `try` that catches
    TypeError.

    Tickets: real code
    """

    contract = "known-names"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "0 findings by readers in 28 packages, after mending; 9 before, all false"
    triggers = Triggers(nodes=frozenset({"Call"}), parts=frozenset({"="}))

    VALID = (
        Valid(
            "keywords that exist",
            """
            import torch.nn.functional as F


            def scale(x, *, factor=1.0):
                return x * factor


            def run(q, k, v, **more):
                a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
                return scale(a, factor=2.0) + F.dropout(a, p=0.1, **more)
            """,
        ),
        Valid(
            "any keyword, and a signature that is not known",
            """
            def scale(x, **options):
                return x


            @wrapped
            def shift(x):
                return x


            if FAST:
                def turn(x):
                    return x
            else:
                def turn(x, angle):
                    return x


            def run(x, scale_by):
                return scale(x, factr=1), shift(x, by=2), turn(x, angle=3), scale_by(x, f=2)
            """,
        ),
        Valid(
            "a class with another constructor, an override with the keyword",
            """
            from torch import nn


            @dataclass
            class Config:
                width: int


            class Base(nn.Module):
                def encode(self, x):
                    return x

                def forward(self, x):
                    return self.encode(x, mask=None)


            class Masked(Base):
                def __init__(self, width):
                    super().__init__()

                def encode(self, x, mask=None):
                    return x


            class Odd(Foreign):
                pass


            made = Config(width=1), Masked(width=2), Odd(depth=3)
            """,
        ),
        Valid(
            "a local name, a keyword that resembles none of torch's, and a TypeError that is caught",
            """
            import torch.nn.functional as F


            def scale(x):
                return x


            def run(x, q):
                scale = other
                try:
                    return F.scaled_dot_product_attention(q, q, q, is_casual=True)
                except TypeError:
                    return scale(x, by=2) + F.dropout(x, newest=1)
            """,
        ),
        Valid(
            "the names that NumPy gives to keywords of torch",
            """
            import torch


            def center(rows):
                spread = torch.std(rows, axis=0, keepdims=True)
                return (rows - torch.mean(a=rows, axis=0, keepdims=True)) / spread
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a misspelt keyword of torch",
            """
            import torch
            from torch import nn
            from torch.nn import functional


            class Causal(nn.Module):
                def __init__(self, width):
                    super().__init__()
                    self.norm = nn.LayerNorm(width, elementwise_afine=False)

                def forward(self, q, k, v):
                    return functional.scaled_dot_product_attention(q, k, v, is_casual=True)
            """,
            (
                (9, "`nn.LayerNorm` takes no `elementwise_afine`: it has `elementwise_affine`"),
                (
                    12,
                    (
                        "`functional.scaled_dot_product_attention` takes no `is_casual`: it has "
                        "`is_causal`"
                    ),
                ),
            ),
        ),
        Invalid(
            "a name of NumPy in a layer, which takes none",
            """
            from torch import nn

            distance = nn.PairwiseDistance(keepdims=True)
            """,
            ((3, "`nn.PairwiseDistance` takes no `keepdims`: it has `keepdim`"),),
        ),
        Invalid(
            "a misspelt keyword on a line of its own",
            """
            import torch.nn.functional as F


            def attend(q, k, v):
                return F.scaled_dot_product_attention(
                    q, k, v,
                    is_casual=True,
                )
            """,
            ((7, "`F.scaled_dot_product_attention` takes no `is_casual`: it has `is_causal`"),),
            fixed="""
            import torch.nn.functional as F


            def attend(q, k, v):
                return F.scaled_dot_product_attention(
                    q, k, v,
                    is_causal=True,
                )
            """,
        ),
        Invalid(
            "functions, classes and methods of the file",
            """
            from torch import nn


            def pad(x, *, left=0, right=0):
                return x


            class Block(nn.Module):
                def __init__(self, width, dropout=0.0):
                    super().__init__()

                def mix(self, x, gate=None):
                    return x

                def forward(self, x):
                    return self.mix(pad(x, lefts=1), gates=x)


            class Wide(Block):
                pass


            layers = [Block(8, drop_out=0.1), Wide(8, depth=2)]
            """,
            (
                (16, "`pad` takes no `lefts`: it has `left`"),
                (16, "`self.mix` takes no `gates`: it has `gate`"),
                (23, "`Block` takes no `drop_out`: it has `dropout`"),
                (23, "`Wide` takes no `depth`"),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep calls with keywords."""
        return [n for n in nodes if isinstance(n, ast.Call) and n.keywords]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report each keyword that the called function does not take."""
        if not isinstance(node, ast.Call) or not _is_known(node, file) or not _is_plain(node):
            return
        has_name_of_torch = terminal_name(node.func) in torch_keywords_by_name()
        resolved = (file.resolve(node.func) or "") if has_name_of_torch else ""
        is_torch = resolved.startswith("torch.")
        known = (
            torch_keywords().get(resolved) if is_torch else file.once(OwnFunctions).keywords(node)
        )
        unknown = [k for k in node.keywords if known is not None and k.arg not in known]
        for keyword in unknown if not _is_attempt(node, file) else ():
            meant = similar_name(keyword.arg or "", known or ())
            if is_torch and has_numpy_alias(resolved, keyword.arg or "", known or ()):
                continue
            if meant or not is_torch:
                it_has = f": it has `{meant}`" if meant else ""
                function = file.code(node.func, parentheses=True)
                fix = _renamed(keyword, meant, file) if meant else None
                yield Violation(keyword, f"`{function}` takes no `{keyword.arg}`{it_has}", fix)


def _renamed(keyword: ast.keyword, meant: str, file: FileView) -> Replacement:
    """Return the fix that writes the keyword which the function has."""
    span = file.span(keyword)
    name = Span(span.line, span.column, span.line, span.column + len(keyword.arg or ""))
    return Replacement(name, meant, safe=True, description=f"pass `{meant}`")


def _is_known(call: ast.Call, file: FileView) -> bool:
    """Return whether a call may be one of torch or of the own code of a file, by its last name alone.

    A call of torch with keywords that every function of that name takes is none.
    """
    name = terminal_name(call.func)
    if file.once(OwnFunctions).has_name(name):
        return True
    common = torch_keywords_by_name().get(name)
    return common is not None and any(keyword.arg not in common for keyword in call.keywords)


def _is_plain(call: ast.Call) -> bool:
    """Return whether a call names all its keywords, and its function by a dotted name."""
    return bool(dotted(call.func)) and all(keyword.arg for keyword in call.keywords)


def _is_attempt(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is made in a `try` that may catch its TypeError."""
    return any(isinstance(s, ast.Try) and s.handlers for s in file.enclosing(call))
