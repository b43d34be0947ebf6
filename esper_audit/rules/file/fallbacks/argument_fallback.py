"""The rule `argument-fallback`: data taken from another argument where one is left out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import (
    Invalid,
    Options,
    Reach,
    Replacement,
    Rule,
    Triggers,
    Valid,
    Violation,
)
from esper_audit.source.idioms.fallbacks.argument_defaults import (
    carries_data,
    default_to_none,
    is_relation,
    replacements,
)
from esper_audit.source.syntax import cst
from esper_audit.source.syntax.enclosing import chain, symbol_of
from esper_audit.source.syntax.names import Function, parameters
from esper_audit.source.syntax.node_view import View

SETS_UP = frozenset(
    {"__init__", "__new__", "__post_init__", "__init_subclass__", "reset_parameters"}
)
ATTENTION = re.compile("attention|attn")
SELF_ATTENTION = frozenset(
    {"query", "q", "query_states", "key", "keys", "k", "key_states", "value", "values", "v", "kv"}
    | {"value_states", "key_value_states", "context", "memory", "encoder_hidden_states", "x_kv"}
    | {"encoder_output", "encoder_outputs", "cross_attention_states", "kv_input", "attn_kv"}
)


class FallbackOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out on purpose, by a convention that every reader knows.

    `by_convention`: parameters for which another is the documented default; as delivered the
    inputs of an attention (`key`, `value`, `context`, `memory`, ...), which without them attends to
    itself.
    """

    by_convention: frozenset[str] = SELF_ATTENTION


class ArgumentFallback(Rule):
    """Where an argument is left out, another argument flows in its place.

    What: a parameter for tensor data that defaults to None and that the body then replaces by
    another parameter: `if u is None: u = h`, `u = h if u is None else f(u)`, `u = u or h`,
    `v = u if u is not None else h`, `u = default(u, h)`. A `detach()`, `clone()` or `contiguous()`
    of the other parameter is that parameter: whether gradients flow is then chosen out of sight.

    Why: a caller who forgets the argument gets a number, not an error. Gradients flow along a path
    that nobody asked for, and the isolation that the parameter was made for is gone.

    Quiet: a constant, a fresh tensor, a configuration value, `self.x` or a computation as the
    replacement; an optional addend (`h if u is None else h + u`); sizes, layer types, names and all
    else that is not annotated or used as a tensor; constructors, whose parameters are
    configuration; either-or inputs, both of which default to None (`input_ids`, `inputs_embeds`);
    the sides of a relation (`pos_i`, `pos_j`; `K`, `new_K`), which may be one; the inputs of an
    attention, whose default to self-attention is documented API (any class or function named so;
    elsewhere the names of the option `by_convention`).

    Tickets: B2-DRL-10, real code
    """

    contract = "required-seed-input"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = (
        "8 of 8 read were right (timm, x_transformers, diffusers, torch); of torchrl's "
        "13, 10 are documented defaults"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"None"}))
    reach = Reach.FUNCTION
    Options = FallbackOptions
    options: FallbackOptions

    VALID = (
        Valid(
            "a required parameter",
            "def blend(host, *, seed_input):\n    return host * seed_input.tanh()\n",
        ),
        Valid(
            "a fresh tensor as the default",
            "def forward(self, x: Tensor, bias: Tensor | None = None):\n"
            "    if bias is None:\n        bias = torch.zeros(x.shape[-1])\n    return x + bias\n",
        ),
        Valid(
            "something computed from the other parameter",
            "def forward(self, x, mask=None):\n"
            "    mask = x.new_ones(x.shape[:2]) if mask is None else mask\n    return x * mask\n",
        ),
        Valid(
            "an attribute of the object as the default",
            "def forward(self, x, gain=None):\n"
            "    gain = self.gain if gain is None else gain\n    return x * gain\n",
        ),
        Valid(
            "sizes of a constructor",
            "class Mlp(nn.Module):\n"
            "    def __init__(self, in_features, hidden_features=None, act=GELU, gate_act=None):\n"
            "        hidden_features = hidden_features or in_features\n"
            "        gate_act = act if gate_act is None else gate_act\n"
            "        self.fc = nn.Linear(in_features, hidden_features)\n",
        ),
        Valid(
            "a size of a function",
            "def make_divisible(v, divisor=8, min_value: int | None = None):\n"
            "    min_value = min_value or divisor\n    return max(min_value, v)\n",
        ),
        Valid(
            "a format next to the image that is a tensor",
            "def pad(image: np.ndarray, input_format: str, data_format: str | None = None):\n"
            "    data_format = data_format if data_format is not None else input_format\n"
            "    return to_format(image, data_format)\n",
        ),
        Valid(
            "an optional addend",
            "def forward(self, hidden: Tensor, position: Tensor | None = None):\n"
            "    query = hidden + position if position is not None else hidden\n"
            "    return self.project(query)\n",
        ),
        Valid(
            "an attention that attends to itself without a context",
            "def forward(self, x: Tensor, context: Tensor | None = None):\n"
            "    context = x if context is None else context\n"
            "    return self.attend(self.q(x), self.kv(context))\n",
        ),
        Valid(
            "either-or inputs",
            "def forward(self, input_ids: Tensor | None = None, embeds: Tensor | None = None):\n"
            "    given = input_ids if input_ids is not None else embeds\n    return given.shape\n",
        ),
        Valid(
            "a second input of an attention, whatever its name",
            "class MultiQueryAttention(nn.Module):\n"
            "    def forward(self, x, m: Optional[torch.Tensor] = None):\n"
            "        m = m if m is not None else x\n        return self.query(x) @ self.key(m)\n",
        ),
        Valid(
            "the other side of a relation",
            "def forward(self, source_boxes: Tensor, target_boxes: Tensor = None):\n"
            "    if target_boxes is None:\n        target_boxes = source_boxes\n"
            "    return relative(source_boxes, target_boxes)\n\n\n"
            "def undistort(points, K: Tensor, new_K: Tensor | None = None):\n"
            "    return points @ (K if new_K is None else new_K)\n",
        ),
        Valid(
            "a stride next to layers",
            "from torch import nn\n\n\ndef create_pool(kernel_size, stride=None):\n"
            "    stride = stride or kernel_size\n    return nn.AvgPool2d(kernel_size, stride)\n",
        ),
        Valid(
            "a replacement inside a nested function, of its own parameter",
            "def outer(x: Tensor, u: Tensor | None = None):\n"
            "    def inner(u: Tensor):\n        return u\n    return inner(x), u\n",
        ),
    )
    INVALID = (
        Invalid(
            "an if statement",
            "def blend_multiply(\n"
            "    host_features: torch.Tensor,\n"
            "    alpha: torch.Tensor,\n"
            "    seed_input: torch.Tensor | None = None,  # Defaults to host_features\n"
            ") -> torch.Tensor:\n"
            "    if seed_input is None:\n"
            "        seed_input = host_features\n"
            "    return host_features * (alpha * seed_input.tanh())\n",
            ((4, "`seed_input` silently becomes `host_features` where a caller leaves it out"),),
            "def blend_multiply(\n"
            "    host_features: torch.Tensor,\n"
            "    alpha: torch.Tensor,\n"
            "    *, seed_input: torch.Tensor,  # Defaults to host_features\n"
            ") -> torch.Tensor:\n"
            "    if seed_input is None:\n"
            "        seed_input = host_features\n"
            "    return host_features * (alpha * seed_input.tanh())\n",
        ),
        Invalid(
            "a conditional expression in a method",
            "class Valve(nn.Module):\n"
            "    def forward(\n        self, h, *, u: Optional[Tensor] = None,\n        scale=1.0,\n    ):\n"
            "        u = h if u is None else self.norm(u)\n"
            "        return h * u * scale\n",
            ((3, "`u` silently becomes `h` where a caller leaves it out"),),
            "class Valve(nn.Module):\n"
            "    def forward(\n        self, h, *, u: Tensor,\n        scale=1.0,\n    ):\n"
            "        u = h if u is None else self.norm(u)\n"
            "        return h * u * scale\n",
        ),
        Invalid(
            "a shortcut that becomes the input, in front of other parameters",
            "def forward(self, x, shortcut: Optional[torch.Tensor] = None, children=None):\n"
            "    if shortcut is None:\n        shortcut = x\n"
            "    return self.conv(x) + shortcut\n",
            ((1, "`shortcut` silently becomes `x` where a caller leaves it out"),),
        ),
        Invalid(
            "a detached copy, under another name",
            "import torch\n\n\n"
            "def gate(host, seed=None):\n"
            "    source = seed if seed is not None else host.detach()\n"
            "    return torch.sigmoid(source) * host\n",
            ((4, "`seed` silently becomes `host` where a caller leaves it out"),),
        ),
        Invalid(
            "an or, and a helper named default",
            "def forward(self, x, u=None, w=None):\n"
            "    u = u or x\n    return self.mix(u, default(w, x))\n",
            (
                (1, "`u` silently becomes `x` where a caller leaves it out"),
                (1, "`w` silently becomes `x` where a caller leaves it out"),
            ),
        ),
        Invalid(
            "a context, where no convention is granted",
            "def forward(self, x, context=None):\n"
            "    if not exists(context):\n        context = x\n    return self.mix(x, context)\n",
            ((1, "`context` silently becomes `x` where a caller leaves it out"),),
            options={"by_convention": []},
        ),
    )

    def may_match(self, node: ast.AST, enclosing: Sequence[ast.stmt]) -> bool:
        """Keep functions that replace an optional parameter by another one."""
        return isinstance(node, Function) and any(self._fallbacks(node))

    def check(self, node: cst.CSTNode, view: View) -> Iterator[Violation]:
        """Report each optional parameter for data that another one replaces."""
        if not isinstance(node, cst.FunctionDef):
            return
        scopes = view.functions(node.body)
        if ATTENTION.search(_symbol(scopes[-1], view)):
            return
        for name, stand_in in dict.fromkeys(self._fallbacks(scopes[-1])):
            if not is_relation(name, stand_in) and carries_data(
                scopes[-1], (name, stand_in), view.source.names, scopes
            ):
                parameter = next(p for p in _plain(node.params) if p.name.value == name)
                yield Violation(
                    parameter,
                    f"`{name}` silently becomes `{stand_in}` where a caller leaves it out",
                    _requirement(node.params, parameter, view, scopes[-1].col_offset),
                    argument=name,
                )

    def _fallbacks(self, function: Function) -> Iterator[tuple[str, str]]:
        optional = frozenset(default_to_none(function.args))
        if not optional or function.name in SETS_UP:
            return
        required = {p.arg for p in parameters(function.args)} - optional - {"self", "cls"}
        for name, stand_in in replacements(function):
            if name in optional - self.options.by_convention and stand_in in required:
                yield name, stand_in


def _symbol(function: Function, view: View) -> str:
    enclosing = chain(view.source.tree, function.lineno, function.col_offset)
    return symbol_of(enclosing).lower()


def _plain(params: cst.Parameters) -> list[cst.Param]:
    return [*params.posonly_params, *params.params, *params.kwonly_params]


def _requirement(
    params: cst.Parameters, optional: cst.Param, view: View, indent: int
) -> Replacement | None:
    """Return the parameters with one of them required and keyword-only, where none has to move."""
    is_keyword = optional in params.kwonly_params
    is_last = optional in params.params[-1:] and not isinstance(params.star_arg, cst.CSTNode)
    written = view.code(params).replace("\n", "\n" + " " * indent)
    bare = optional.with_changes(
        comma=cst.MaybeSentinel.DEFAULT, whitespace_after_param=cst.SimpleWhitespace("")
    )
    before = view.code(bare)
    if not (is_keyword or is_last) or written not in view.source.text or written.count(before) != 1:
        return None
    type_ = (
        f": {_without_none(optional.annotation.annotation, view)}" if optional.annotation else ""
    )
    after = ("" if is_keyword else "*, ") + optional.name.value + type_
    return Replacement(
        params,
        written.replace(before, after),
        safe=False,
        description=f"require `{optional.name.value}`; who left it out has to say what is meant",
    )


def _without_none(annotation: cst.BaseExpression, view: View) -> str:
    """Return `T` for `T | None` and `Optional[T]`."""
    if isinstance(annotation, cst.BinaryOperation) and view.code(annotation.right) == "None":
        return view.code(annotation.left)
    if isinstance(annotation, cst.Subscript) and view.code(annotation.value).endswith("Optional"):
        return view.code(annotation.slice[0])
    return view.code(annotation)
