"""The rule `unused-causal-flag`: an argument that promises causality reaches nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

FLAG = re.compile(r"^(is_|use_|make_)?(causal|autoregressive|causal_mask)$")
ALLOCATING = frozenset({"empty", "empty_like", "new_empty", "empty_strided"})
COMPUTING = re.compile(r"softmax|matmul|bmm|einsum|atten|attn|conv|forward|kernel")
# A class with such bases can read every attribute in another file.
KNOWN_BASES = ("torch.nn.", "builtins.", "abc.", "typing.", "object", "dataclasses.")
READ_ONLY = (ast.Raise, ast.Assert)


class UnusedCausalFlag(Rule):
    """An argument that promises causality reaches nothing.

    What: a parameter `causal`, `is_causal`, `autoregressive` and the like that its function never reads,
    or that `__init__` stores in an attribute that no class of the family reads.

    Why: `Block(causal=True)` builds, trains and sees the future. The option is documented and inert.

    Quiet: abstract functions and those that raise; an override, whose base prescribes the parameter; a
    flag that is explicitly discarded (`del causal`); an attribute of a class with bases elsewhere, and a
    constructor with `**kwargs` there; a function that only allocates its result.

    Off unless selected: most flags that nothing reads are there because another implementation of the same
    signature reads them.

    Tickets: real code
    """

    contract = "causal-mask"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    default = False
    precision = (
        "0 of 3 in 17 packages seen last (lmdeploy); before: 1 of 1 finding would be merged (torchtune), "
        "none in 18 other packages; 0 of 10 in 49 packages more, before mending on them"
    )
    triggers = Triggers(
        nodes=frozenset({"FunctionDef"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"causal", "is_causal", "use_causal", "autoregressive", "causal_mask"}),
    )

    VALID = (
        Valid(
            "a flag that reaches a mask, and one that reaches an inner module",
            """
            from torch import nn

            class Block(nn.Module):
                def __init__(self, width, causal=False):
                    super().__init__()
                    self.causal = causal
                    self.inner = Inner(width, causal=causal)

                def forward(self, q, k, v):
                    return attention(q, k, v, is_causal=self.causal)
            """,
        ),
        Valid(
            "abstract functions, and a flag that is refused",
            """
            from torch import nn

            class Base(nn.Module):
                def attend(self, x, causal):
                    raise NotImplementedError

                def pool(self, x, causal):
                    \"\"\"Pool the input.\"\"\"

            def attend(x, is_causal=False):
                del is_causal
                return x.softmax(-1)

            def linear(x, is_causal=False):
                assert not is_causal
                return x
            """,
        ),
        Valid(
            "an override, and a class whose base reads the attribute",
            """
            from torch import nn
            from .base import Attention

            class Local(Attention):
                def __init__(self, width, causal):
                    super().__init__(width)
                    self.causal = causal

                def attend(self, x, causal):
                    return x

            class Plain(nn.Module):
                def attend(self, x, causal):
                    return self.mask(x, causal)

            class Full(Plain):
                def attend(self, x, causal):
                    return x
            """,
        ),
        Valid(
            "an attribute that a subclass or another object reads",
            """
            from torch import nn

            class Block(nn.Module):
                def __init__(self, causal):
                    super().__init__()
                    self.is_causal = causal

            class Deep(Block):
                def forward(self, x):
                    return attention(x, self.is_causal)

            class Model(nn.Module):
                def __init__(self, causal):
                    super().__init__()
                    self.causal = causal

            def describe(model):
                return model.causal
            """,
        ),
        Valid(
            "the fake of a kernel, and one of several backends",
            """
            import torch
            from .backend import Backend
            def plan(q, k, v, causal=False):
                warn("not available here")
                return None
            def attention_fake(q, k, v, causal=False):
                assert q.dtype == k.dtype == v.dtype
                return q.new_empty(*q.shape[:-1], v.shape[-1])
            class Sparse(Backend):
                def __init__(self, heads, causal=False, **extra):
                    self.heads = heads
                def forward(self, q, k, v):
                    return sparse_attention(q, k, v)
            """,
        ),
        Valid(
            "a flag that is handed on under its name",
            """
            from torch import nn
            class Attention(nn.Module):
                def __init__(self, width, is_causal=False):
                    super().__init__()
                    given = locals()
                    self.inner = Inner(**{key: given[key] for key in ("width", "is_causal")})
                def forward(self, x):
                    return self.inner(x)
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a parameter that nothing reads",
            """
            import torch
            from torch import nn

            class Block(nn.Module):
                def __init__(self, width, heads, causal=True):
                    super().__init__()
                    self.attention = nn.MultiheadAttention(width, heads)

                def forward(self, x):
                    return self.attention(x, x, x)[0]
            """,
            (
                (
                    5,
                    (
                        "`causal` of `__init__` reaches no mask, no padding and no inner module: the future "
                        "stays visible. Apply or remove it."
                    ),
                ),
            ),
        ),
        Invalid(
            "an attribute that nothing reads",
            """
            import torch
            from torch import nn

            class Block(nn.Module):
                def __init__(self, width, *, is_causal: bool = False):
                    super().__init__()
                    self.width = width
                    self.is_causal = is_causal

                def forward(self, q, k, v):
                    return nn.functional.scaled_dot_product_attention(q, k, v)
            """,
            (
                (
                    5,
                    (
                        "`is_causal` of `__init__` goes to `self.is_causal`, which nothing reads: the future "
                        "stays visible. Apply or remove it."
                    ),
                ),
            ),
        ),
        Invalid(
            "a function and a forward",
            """
            from torch import nn

            def attention(q, k, v, causal=False, scale=1.0):
                return (q @ k.mT * scale).softmax(-1) @ v

            class Block(nn.Module):
                def forward(self, x, is_causal=False):
                    return attention(x, x, x)
            """,
            (
                (
                    3,
                    (
                        "`causal` of `attention` reaches no mask, no padding and no inner module: the future "
                        "stays visible. Apply or remove it."
                    ),
                ),
                (
                    7,
                    (
                        "`is_causal` of `forward` reaches no mask, no padding and no inner module: the future "
                        "stays visible. Apply or remove it."
                    ),
                ),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions with a parameter that promises causality."""
        return [node for node in nodes if isinstance(node, Function) and _flag_of(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report a flag that reaches nothing."""
        flag = _flag_of(node) if isinstance(node, Function) else None
        if flag is None or not isinstance(node, Function) or _is_stub(node):
            return
        texts = (n.value for n in scan(node, {ast.Constant}) if isinstance(n, ast.Constant))
        if flag.arg in texts or _is_shape_function(node) or _is_of_interface(node, file):
            return
        uses = [n for n in scan(node, {ast.Name}) if isinstance(n, ast.Name) and n.id == flag.arg]
        where = _stored_in(node, flag.arg) if len(uses) == 1 else ""
        if not uses and not _is_prescribed(node, file):
            message = (
                f"`{flag.arg}` of `{node.name}` reaches no mask, no padding and no inner module"
            )
        elif where and _is_unread(where, node, file):
            message = f"`{flag.arg}` of `{node.name}` goes to `self.{where}`, which nothing reads"
        else:
            return
        yield Violation(
            flag, f"{message}: the future stays visible. Apply or remove it.", argument=flag.arg
        )


def _flag_of(node: Function) -> ast.arg | None:
    return next((p for p in parameters(node.args) if FLAG.search(p.arg)), None)


def _is_stub(function: Function) -> bool:
    """Return whether a function has no body of its own, or always raises."""
    body = [s for s in function.body if not isinstance(s, (ast.Pass, ast.Expr))]
    return not body or isinstance(body[0], ast.Raise)


def _is_shape_function(function: Function) -> bool:
    """Return whether a function allocates its result and computes nothing: the fake of a kernel."""
    products = scan(function, {ast.MatMult})
    calls = [c for c in scan(function, {ast.Call}) if isinstance(c, ast.Call)]
    names = {terminal_name(call.func) for call in calls}
    is_computed = bool(products) or any(COMPUTING.search(name) for name in names)
    has_result = function.name == "__init__" or any(
        not isinstance(value, ast.Constant) for value in returned_values(function)
    )
    return not is_computed and (not names.isdisjoint(ALLOCATING) or not has_result)


def _is_of_interface(function: Function, file: FileView) -> bool:
    """Return whether a constructor takes what it does not know, as all classes of a foreign base do."""
    owner = file.once(class_table).owner(function)
    if owner is None or function.name != "__init__" or function.args.kwarg is None:
        return False
    return not _has_known_bases(file.once(class_table).family(owner).foreign_bases)


def _stored_in(function: Function, flag: str) -> str:
    """Return the attribute of the object to which a function assigns a flag, empty without one."""
    for node in scan(function, {ast.Assign}):
        if isinstance(node, ast.Assign) and dotted(node.value) == flag:
            owner, _, name = dotted(node.targets[0]).partition(".")
            return name if owner == "self" else ""
    return ""


def _is_prescribed(function: Function, file: FileView) -> bool:
    """Return whether a base of the class may prescribe the parameters of a method."""
    table = file.once(class_table)
    owner = table.owner(function)
    if function.name.startswith("_") and not function.name.endswith("__"):
        return True
    if owner is None or function.name in ("__init__", "forward"):
        return bool(function.decorator_list)
    family = table.family(owner)
    inherited = [m for m in family.members[1:] if function.name in m.methods]
    return bool(inherited) or not _has_known_bases(family.foreign_bases)


def _is_unread(attribute: str, function: Function, file: FileView) -> bool:
    """Return whether no code of the file reads an attribute, and no base of another file can."""
    table = file.once(class_table)
    owner = table.owner(function)
    if owner is None or not _has_known_bases(table.family(owner).foreign_bases):
        return False
    read = (n for n in file.nodes(ast.Attribute) if isinstance(n.ctx, ast.Load))
    return f'"{attribute}"' not in file.source.text and not any(n.attr == attribute for n in read)


def _has_known_bases(names: frozenset[str]) -> bool:
    return all(name.startswith(KNOWN_BASES) for name in names)
