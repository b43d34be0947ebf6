"""The rule `attention-without-causal-mask`: an attention in a causal module attends to later positions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.file.attention import attention_without_causal_mask_cases as cases
from esper_audit.rules.rule import (
    Options,
    Replacement,
    Rule,
    Triggers,
    Violation,
)
from esper_audit.source.idioms.attention.attention_calls import (
    SIGNATURES,
    documented_as_causal,
    has_no_later_keys,
    identifier_words,
    is_bidirectional,
    is_handwritten_attention,
    missing_mask,
    registrations,
)
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, arguments_of, dotted, terminal_name

IS_CAUSAL_POSITION = SIGNATURES["scaled_dot_product_attention"].is_causal
DECODER = frozenset({"decoder"})
VOCABULARY = re.compile(r"vocab|lm_head|token_emb|tok_emb", re.IGNORECASE)
MEMORY = re.compile(r"memory|encoder|cross|context", re.IGNORECASE)
MODULE_KINDS = frozenset({"MultiheadAttention"})
LATER_POSITIONS = "`{}` attends to later positions: {}, in `{}`, which {}"
BY_NAME = "is causal by its name"
BY_DOCSTRING = "is causal by its docstring"


class CausalMaskOptions(Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The names of causal modules.

    `words`: words in the name of a class, base, function or file.
    `decoders`: also take the word `decoder` for one where the file names no vocabulary, or where the
    class attends to a memory, as the decoders of images, masks and objects do.
    `topologies`: strings with which a decorator registers the module or its factory.
    """

    words: frozenset[str] = frozenset({"causal", "autoregressive", "gpt", "decoder"})
    decoders: bool = False
    topologies: frozenset[str] = frozenset(
        {"transformer", "decoder", "gpt", "causal", "causal_lm", "autoregressive", "language_model"}
    )


class AttentionWithoutCausalMask(Rule):
    """An attention in a causal module attends to later positions.

    What: `scaled_dot_product_attention`, `flex_attention`, a call of an `nn.MultiheadAttention` or a
    handwritten softmax of q k^T, without a mask and without `is_causal` (or with the literal
    False), in a module that is intended to be causal: a name of the module, its base, its function
    or its file contains such a word, its docstring describes it so, or the module or its factory is
    registered for a causal topology.

    Why: in training each position reads the token that it has to predict. The loss falls, the gate
    accepts the seed, and the advantage is gone when the model generates text.

    Quiet: a decoder of no text (option `decoders`); a function or method of the project's own with such a
    name; any mask except the literal None (a `key_padding_mask` hides no later position), a computed
    `is_causal`, `**kwargs`; the branch for a query of one position; the name of a file whose name a class
    explains; keys from another input than the queries; encoders, vision, pooling and
    similar modules by name; docstrings that contain bidirectional, non-causal, cross-attention, encoder
    or prefix; for a softmax, a function that uses any mask, bias or cache, and a docstring alone.

    Tickets: deep dive 1.4, real code
    """

    contract = "causal-mask"
    torch_versions = ">=2.0"
    category = Category.CORRECTNESS
    severity = Severity.P2
    roles = OUTSIDE_TESTS
    precision = "1 of 1 in 230 packages (zetascale), after mending on them and on two false ones"
    triggers = Triggers(calls=frozenset(SIGNATURES))
    Options = CausalMaskOptions
    options: CausalMaskOptions

    VALID = cases.VALID
    INVALID = cases.INVALID

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report an attention without a mask in a causal module."""
        if not isinstance(node, ast.Call) or not file.functions(node):
            return
        kind = _kind(node, file)
        for call in _calls_of_layer(node, file) if kind in MODULE_KINDS else [node]:
            yield from self._check_call(call, kind, file)

    def _check_call(self, call: ast.Call, kind: str, file: FileView) -> Iterator[Violation]:
        functions = file.functions(call)
        if kind not in SIGNATURES or not functions:
            return
        missing = missing_mask(call, SIGNATURES[kind])
        function = functions[-1]
        if not missing or (
            kind == "softmax" and not is_handwritten_attention(call, function, file.text(function))
        ):
            return
        if has_no_later_keys(call, function, file):
            return
        reason = self._reason(function, file)
        if reason is not None and (kind != "softmax" or reason[1] != BY_DOCSTRING):
            attention = file.code(call.func, parentheses=True)
            yield Violation(
                call,
                LATER_POSITIONS.format(attention, missing, *reason),
                _fix(call, file) if kind == "scaled_dot_product_attention" else None,
            )

    def _reason(self, function: Function, file: FileView) -> tuple[str, str] | None:
        """Return the name of the causal scope and the reason as text, or None."""
        tree, enclosing = file.tree, [*file.definitions(function), function]
        scopes = [s for s in enclosing if isinstance(s, (ast.FunctionDef, ast.ClassDef))]
        if not scopes:
            return None
        innermost = next(
            (s for s in reversed(scopes) if isinstance(s, ast.ClassDef)), scopes[-1]
        ).name
        words = self._words(scopes, file)
        path = [part.removesuffix(".py") for part in file.source.path.split("/")[-2:]]
        if is_bidirectional(path, [tree, *scopes]):
            return None
        for scope in reversed(scopes):
            bases = map(ast.unparse, scope.bases) if isinstance(scope, ast.ClassDef) else ()
            for name, shown in ((scope.name, ""), *((base, f"({base})") for base in bases)):
                if not words.isdisjoint(identifier_words(name)):
                    return scope.name + shown, BY_NAME
        for string, owner in registrations(file, scopes):
            if string in self.options.topologies:
                return innermost, f'`{owner.name}` registers for "{string}"'
        is_named = not words.isdisjoint(identifier_words(path[-1]))
        if is_named and not any(
            words & {*identifier_words(c.name)} for c in file.nodes(ast.ClassDef)
        ):
            return innermost, "is causal by the name of its file"
        documented = documented_as_causal(scopes)
        return (documented, BY_DOCSTRING) if documented else None

    def _words(
        self, scopes: list[ast.FunctionDef | ast.ClassDef], file: FileView
    ) -> frozenset[str]:
        """Return the words that make a scope causal: `decoder` in a file of text models only."""
        is_of_text = VOCABULARY.search(file.source.text) and not MEMORY.search(file.text(scopes[0]))
        return self.options.words - (
            frozenset() if self.options.decoders or is_of_text else DECODER
        )


def _kind(call: ast.Call, file: FileView) -> str:
    """Return the name of the called attention function or layer, empty for one of the project's own."""
    resolved = file.resolve(call.func)
    name = resolved or file.code(call.func)
    kind = name.rpartition(".")[2]
    if kind == "softmax" or (resolved or "").startswith("torch."):
        return kind
    is_free = file.source.names.is_free(dotted(call.func), file.functions(call))
    return kind if resolved is None and is_free else ""


def _calls_of_layer(constructor: ast.Call, file: FileView) -> list[ast.Call]:
    """Return the calls of the attribute that a layer is assigned to, in the same class."""
    enclosing = file.enclosing(constructor)
    assignment = enclosing[-1]
    owners = [statement for statement in enclosing if isinstance(statement, ast.ClassDef)]
    if not owners or not isinstance(assignment, ast.Assign) or assignment.value is not constructor:
        return []
    target = assignment.targets[0]
    layer, name = file.code(target, parentheses=True), terminal_name(target)
    calls = (node for node in scan(owners[-1], {ast.Call}) if isinstance(node, ast.Call))
    named = (call for call in calls if terminal_name(call.func) == name)
    return [call for call in named if file.code(call.func, parentheses=True) == layer]


def _fix(call: ast.Call, file: FileView) -> Replacement | None:
    """Return the fix `is_causal=True`: a replaced literal or an additional argument."""
    arguments = arguments_of(call)
    for position, argument in enumerate(arguments):
        is_named = isinstance(argument, ast.keyword) and argument.arg == "is_causal"
        is_positional = isinstance(argument, ast.expr) and position == IS_CAUSAL_POSITION
        if is_named or is_positional:
            value = argument.value if isinstance(argument, ast.keyword) else argument
            return _replacement(value, "True")
    last = arguments[-1]
    code = file.code(last, parentheses=True)
    return None if "\n" in code else _replacement(last, f"{code}, is_causal=True")


def _replacement(node: ast.AST, code: str) -> Replacement:
    return Replacement(
        node, code, safe=False, description="hide later positions with is_causal=True"
    )
