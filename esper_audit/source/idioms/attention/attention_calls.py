"""Attention calls: their masks, the sources of queries and keys, and the registration of their module."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import names_in, scan, walk
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

QUERY_OR_KEY = re.compile(r"^(q|k|query|key|queries|keys)(_\w+)?$|_(q|k|query|key)$")
PRODUCTS = frozenset({"matmul", "bmm", "einsum", "baddbmm"})
MASK_WORDS = re.compile(r"mask|bias|\binf\b|finfo|causal")
HIDING_CODE = re.compile(r"tril|triu|masked_fill|cache|past")
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")

BIDIRECTIONAL_TEXT = re.compile(
    r"bi-?directional|non-?causal|not causal|cross-?attention|encoder|prefix|acausal|looks? both ways"
)
CAUSAL_TEXT = re.compile(
    r"\bcausal(ly|ity)?\b|auto-?regressive|decoder-only"
    r"|\b(no|never|not|cannot|can't|without|nothing)\b[^.]*\b(see|sees|attends?|looks?|reads?|peek\w*)\b"
    r"[^.]*\b(later|future|following|subsequent|ahead)\b"
    r"|\b(only|solely|just)\b[^.]*\b(earlier|past|previous|preceding)\b[^.]*\b(tokens?|positions?|steps?)\b"
)
# A sentence about an option, another module or another meaning of the word.
NOT_A_CLAIM = re.compile(
    r"\b(if|whether|when|optional(ly)?|may be|can|could|supports?|either|unless|unlike|inference|effects?"
    r"|instead|mask to|for use (in|with)|used (in|by))\b"
)
DOCUMENTED_ARGUMENTS = re.compile(
    r"^\s*(args|arguments|parameters|params|returns|:param)\b", re.MULTILINE
)
SENTENCE_END = re.compile(r"[.;]\s|\n\s*\n")
NON_CAUSAL_WORDS = frozenset(
    {"encoder", "cross", "bidirectional", "noncausal", "prefix", "vision", "visual", "image", "vit"}
    | {"pool", "pooling", "pooler", "perceiver", "resampler", "seg", "detr", "segmentation"}
    | {"mask", "bert"}
    | {"vae", "unet", "diffusion", "spatial", "non", "memory", "pixel", "object", "detection", "d"}
)


class Signature(NamedTuple):
    """The (name, position) of each mask argument of an attention function, and that of `is_causal`.

    `is_causal` is None for a function without that argument.
    """

    masks: tuple[tuple[str, int], ...]
    is_causal: int | None = None


SIGNATURES = {
    "scaled_dot_product_attention": Signature((("attn_mask", 3),), 5),
    "flex_attention": Signature((("score_mod", 3), ("block_mask", 4))),
    "MultiheadAttention": Signature((("attn_mask", 5),), 7),
    "softmax": Signature(()),
}


def missing_mask(call: ast.Call, signature: Signature) -> str:
    """Return a description of the missing mask, or an empty string if later positions may be hidden."""
    if any(isinstance(a, ast.Starred) for a in call.args) or any(not k.arg for k in call.keywords):
        return ""
    if any(not _is_literal(argument_of(call, *mask), None) for mask in signature.masks):
        return ""
    without = " and ".join(f"no {name}" for name, _ in signature.masks) or "no mask"
    if signature.is_causal is None:
        return without
    causal = argument_of(call, "is_causal", signature.is_causal)
    if causal is None:
        return f"{without} and no is_causal"
    return f"{without} and is_causal=False" if _is_literal(causal, False) else ""


def argument_of(call: ast.Call, name: str, position: int) -> ast.expr | None:
    """Return the argument of a call by name or position, or None if the call omits it."""
    named = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return next(iter([*named, *call.args[position : position + 1]]), None)


def _is_cross_attention(call: ast.Call, function: Function) -> bool:
    """Return whether queries and keys are computed from different parameters of a function."""
    query, key = argument_of(call, "query", 0), argument_of(call, "key", 1)
    if query is None or key is None:
        return False
    if isinstance(query, ast.Subscript) and dotted(query.value) == dotted(key) != "":
        # The last positions of a sequence that is known look at all of it.
        return True
    origins = _assignments(function)
    names = {p.arg for p in parameters(function.args)} - {"self", "cls"}
    sources = [_source_names(side, origins) & names for side in (query, key)]
    are_projections = all(QUERY_OR_KEY.search(name) for side in sources for name in side)
    return all(sources) and sources[0] != sources[1] and not are_projections


def has_no_later_keys(call: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether the keys are of another sequence than the queries, or there is one query."""
    return _is_cross_attention(call, function) or _is_of_one_query(call, function, file)


def _is_of_one_query(call: ast.Call, function: Function, file: FileView) -> bool:
    """Return whether an attention lies in a branch for one position, which has no later ones."""
    for statement in file.enclosing(call):
        if isinstance(statement, ast.If):
            is_for_one = _is_true_for_one(statement.test, _assignments(function))
            is_in_body = any(call is part for s in statement.body for part in walk(s))
            if is_for_one is not None and is_for_one == is_in_body:
                return True
    return False


def _is_true_for_one(test: ast.expr, origins: dict[str, list[ast.expr]]) -> bool | None:
    """Return whether a comparison of a length with 1 is true for 1, None for any other test."""
    if not isinstance(test, ast.Compare) or not _is_literal(test.comparators[0], 1):
        return None
    lengths = origins.get(dotted(test.left), [test.left])
    axes = [_axis_of_length(length) for length in lengths]
    if any(axis is None or _is_literal(axis, 0) for axis in axes):
        return None
    if isinstance(test.ops[0], (ast.Eq, ast.LtE)):
        return True
    return False if isinstance(test.ops[0], (ast.NotEq, ast.Gt)) else None


def _axis_of_length(length: ast.expr) -> ast.expr | None:
    """Return the axis in `x.shape[axis]` and `x.size(axis)`."""
    if isinstance(length, ast.Subscript) and terminal_name(length.value) == "shape":
        return length.slice
    if isinstance(length, ast.Call) and terminal_name(length.func) == "size" and length.args:
        return length.args[0]
    return None


def is_handwritten_attention(softmax: ast.Call, function: Function, text: str) -> bool:
    """Return whether a softmax is taken of q k^T in a function that hides no positions.

    `text` is the source of the function.
    """
    scores = softmax.args[0] if softmax.args else None
    if isinstance(softmax.func, ast.Attribute) and (
        scores is None or not _is_possible_scores(scores)
    ):
        scores = softmax.func.value
    if scores is None:
        return False
    values = _assignments(function).get(dotted(scores), [scores])
    if not any(_is_query_times_key(_unscaled(value)) for value in values):
        return False
    # What the code contains its text contains too, and is quicker to search.
    if HIDING_CODE.search(text) and HIDING_CODE.search(ast.unparse(function)):
        return False
    if not MASK_WORDS.search(text):
        return True
    kinds = (ast.Assign, ast.AugAssign, ast.Expr)
    steps = [ast.unparse(node) for node in walk(function) if isinstance(node, kinds)]
    uses_scores = re.compile(rf"(?<!\w){re.escape(ast.unparse(scores))}(?!\w)")
    return not any(MASK_WORDS.search(step) for step in steps if uses_scores.search(step))


def identifier_words(name: str) -> list[str]:
    """Return the lower-case words of an identifier such as `CausalSelfAttention` or `gpt2_block`."""
    return [word.lower() for word in WORD.findall(name)]


def registrations(
    file: FileView, scopes: Sequence[ast.AST]
) -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    """Yield each string in a decorator of a scope or of a factory of its class, with the decorated definition."""
    classes = {scope.name for scope in scopes if isinstance(scope, ast.ClassDef)}
    for node, strings in file.once(_decorated_by_strings):
        is_maker = node in scopes or classes & names_in(node)
        if is_maker:
            yield from ((text, node) for text in strings)


def _decorated_by_strings(
    file: FileView,
) -> list[tuple[ast.FunctionDef | ast.ClassDef, list[str]]]:
    """Return the definitions of a file whose decorators contain strings, with the strings."""
    definitions: list[ast.FunctionDef | ast.ClassDef] = [
        *file.nodes(ast.FunctionDef),
        *file.nodes(ast.ClassDef),
    ]
    decorated = [(node, list(_strings(node.decorator_list))) for node in definitions]
    found = [(node, strings) for node, strings in decorated if strings]
    return sorted(found, key=lambda pair: (pair[0].lineno, pair[0].col_offset))


def _strings(decorators: list[ast.expr]) -> Iterator[str]:
    for part in (part for decorator in decorators for part in walk(decorator)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def is_bidirectional(paths: Sequence[str], scopes: Sequence[ast.AST]) -> bool:
    """Return whether names, bases or docstrings describe a non-causal attention."""
    names = list(paths)
    texts = []
    for scope in scopes:
        if isinstance(scope, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            texts.append(ast.get_docstring(scope) or "")
        if isinstance(scope, (ast.ClassDef, ast.FunctionDef)):
            names.append(scope.name)
        if isinstance(scope, ast.ClassDef):
            names += map(ast.unparse, scope.bases)
    by_name = any(not NON_CAUSAL_WORDS.isdisjoint(identifier_words(name)) for name in names)
    return by_name or any(BIDIRECTIONAL_TEXT.search(text.lower()) for text in texts)


def documented_as_causal(scopes: Sequence[ast.AST]) -> str:
    """Return the name of the innermost scope whose docstring states that it is causal, or an empty string."""
    for scope in reversed(scopes):
        if isinstance(scope, (ast.ClassDef, ast.FunctionDef)):
            text = (ast.get_docstring(scope) or "").lower()
            prose = DOCUMENTED_ARGUMENTS.split(text, maxsplit=1)[0]
            sentences = SENTENCE_END.split(prose)
            if any(CAUSAL_TEXT.search(s) and not NOT_A_CLAIM.search(s) for s in sentences):
                return scope.name
    return ""


def _is_literal(node: ast.expr | None, value: object) -> bool:
    if node is None:
        return value is None
    return isinstance(node, ast.Constant) and node.value is value


def _is_possible_scores(node: ast.expr) -> bool:
    return not isinstance(node, (ast.Constant, ast.UnaryOp))


def _assignments(function: Function) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = defaultdict(list)
    assignments = (n for n in scan(function, {ast.Assign}) if isinstance(n, ast.Assign))
    for target, value in ((target, node.value) for node in assignments for target in node.targets):
        for name in target.elts if isinstance(target, ast.Tuple) else [target]:
            found[dotted(name)].append(value)
    return found


def _source_names(node: ast.expr, origins: dict[str, list[ast.expr]]) -> set[str]:
    """Return all names that an expression is computed from, through assignments."""
    found: set[str] = set()
    pending: list[ast.expr] = [node]
    while pending:
        for part in walk(pending.pop()):
            if isinstance(part, ast.Name) and part.id not in found:
                found.add(part.id)
                pending += origins.get(part.id, [])
    return found


def _unscaled(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
        node = node.right if isinstance(node.left, (ast.Constant, ast.Attribute)) else node.left
    return node


def _is_query_times_key(node: ast.expr) -> bool:
    operands: list[ast.expr] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        operands = [node.left, node.right]
    elif isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in PRODUCTS:
        operands = node.args[-2:]
    names = [names_in(o) for o in operands]
    return len(names) == 2 and all(any(map(QUERY_OR_KEY.search, side)) for side in names)
