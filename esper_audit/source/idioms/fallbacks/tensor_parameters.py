"""Whether a parameter is tensor data: by its annotation, or else by what a function does with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from operator import attrgetter

from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.ast_walk import walk as walk_ast
from esper_audit.source.syntax.enclosing import Definition
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, Names, dotted, parameters, terminal_name

DATA_METHODS = frozenset({"forward", "__call__", "call", "training_step", "validation_step"})
TENSOR_TYPES = ("Tensor", "ndarray", "Array")
UNTYPED = frozenset({"Any", "object", "Optional", "None", "typing"})
TENSOR_ATTRIBUTES = frozenset(
    {"shape", "size", "ndim", "dim", "view", "reshape", "detach", "transpose", "permute", "flatten"}
    | {"unsqueeze", "squeeze", "expand", "requires_grad", "mean", "sum", "sigmoid", "tanh", "chunk"}
    | {"relu", "softmax", "dtype", "clone", "exp", "log", "matmul", "masked_fill", "type_as"}
)
TENSOR_MODULES = ("torch.", "numpy.", "einops.", "jax.")
SIZE_FUNCTIONS = frozenset(
    {"arange", "empty", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "zeros"}
    | {"tril_indices", "triu_indices", "as_tensor", "tensor", "logspace", "normal", "manual_seed"}
)
SEVERAL_TENSORS = frozenset(
    {"add", "bmm", "cat", "cosine_similarity", "cross_entropy", "dot", "einsum", "lerp", "linear"}
    | {"matmul", "maximum", "minimum", "mse_loss", "mul", "scaled_dot_product_attention", "stack"}
    | {"sub", "where"}
)
SCALAR_FUNCTIONS = frozenset({"range", "int", "float", "str", "bool", "round", "Path"})
RELATION_SIDES = (
    *({"i", "j"}, {"a", "b"}, {"x", "y"}, {"q", "k"}, {"left", "right"}, {"first", "second"}),
    *({"1", "2"}, {"0", "1"}, {"source", "target"}, {"src", "tgt"}, {"src", "dst"}),
    *({"input", "output"}, {"inputs", "outputs"}),
)

KEY_OR_VALUE = re.compile(
    r"(^|_)(to_?)?(k|v|kv|qkv|keys?|values?|attn|attention|attend|memory|mha|cross)(_|\d|$)|_kv|kv_|attn|attention"
)

OTHER_TYPES = re.compile(r"\b(int|float|bool|str|dict|list|tuple|Dict|List|Tuple|Sequence)\b")


class TensorParameters:
    """The parameters of one function, with the file that holds it."""

    def __init__(self, function: Function, file: FileView) -> None:
        self._function = function
        self._names: Names = file.source.names
        self._definitions: Sequence[Definition] = file.definitions(function)
        self._scopes = [*file.functions(function), function]
        self._annotations = {p.arg: p.annotation for p in parameters(function.args)}

    def is_tensor(self, optional: str, fallback: str, targets: frozenset[str]) -> bool:
        """Return whether an optional parameter is tensor data, by annotation or else by use.

        The parameter becomes `fallback`, and both are read under the names of `targets`, so that
        a use of one of them is a use of all.
        """
        annotated = self._is_annotated_tensor(optional, fallback)
        if annotated is not None:
            return annotated
        if self._function.name in DATA_METHODS:
            return True
        names, layers = targets | {optional, fallback}, frozenset(self._layers())
        return any(
            self._is_tensor_use(node, names) or _is_layer_call(node, names, layers)
            for node in walk_ast(self._function)
        )

    def is_possible_tensor(self, optional: str, fallback: str, targets: frozenset[str]) -> bool:
        """Return whether neither an annotation nor a use shows that a parameter is no tensor data."""
        annotated = self._is_annotated_tensor(optional, fallback)
        if annotated is not None:
            return annotated
        names = targets | {optional, fallback}
        return not any(_is_scalar_use(node, names) for node in walk_ast(self._function))

    def is_annotated(self, optional: str) -> bool:
        """Return whether the annotation of a parameter is a tensor, and no other type but None."""
        annotation = self._annotations[optional]
        if annotation is None or not self._is_tensor_annotation(annotation):
            return False
        return not OTHER_TYPES.search(ast.unparse(annotation))

    def _is_annotated_tensor(self, optional: str, fallback: str) -> bool | None:
        """Return what the first annotation that names a type decides, or None without one."""
        for annotation in (self._annotations[optional], self._annotations[fallback]):
            if annotation is not None and not _is_untyped(annotation):
                return self._is_tensor_annotation(annotation)
        return None

    def _is_tensor_annotation(self, annotation: ast.expr) -> bool:
        names = (node.id for node in walk_ast(annotation) if isinstance(node, ast.Name))
        resolved = (self._names.resolve(name, self._scopes) or "" for name in names)
        return any(
            type_ in text for text in (ast.unparse(annotation), *resolved) for type_ in TENSOR_TYPES
        )

    def _is_tensor_use(self, node: ast.AST, names: frozenset[str]) -> bool:
        """Return whether a node reads a tensor attribute of a name or passes it to a tensor function."""
        if isinstance(node, ast.Attribute):
            return node.attr in TENSOR_ATTRIBUTES and dotted(node.value) in names
        if not isinstance(node, ast.Call):
            return False
        last = terminal_name(node.func)
        arguments = node.args if last in SEVERAL_TENSORS else node.args[:1]
        if last in SIZE_FUNCTIONS or not any(dotted(argument) in names for argument in arguments):
            return False
        function = self._names.resolve(dotted(node.func), self._scopes) or ""
        return function.startswith(TENSOR_MODULES) and function.rpartition(".")[2].islower()

    def _layers(self) -> Iterator[str]:
        """Yield the attributes of a module class that hold what a constructor made."""
        class_ = self._definitions[-1] if self._definitions else None
        if not isinstance(class_, ast.ClassDef) or not any(
            "Module" in ast.unparse(b) for b in class_.bases
        ):
            return
        assignments = (n for n in scan(class_, {ast.Assign}) if isinstance(n, ast.Assign))
        for node in assignments:
            made = node.value if isinstance(node.value, ast.Call) else None
            if made is not None and terminal_name(made.func)[:1].isupper():
                yield from (dotted(target) for target in node.targets)


def is_relation_pair(first: str, second: str) -> bool:
    """Return whether two names are the two sides of a relation, such as `pos_i` and `pos_j`."""
    if first.removeprefix("new_") == second:
        return True
    parts = [re.findall(r"[a-z]+|\d+", name.lower()) for name in (first, second)]
    differing = [set(pair) for pair in zip(*parts, strict=False) if pair[0] != pair[1]]
    return len(parts[0]) == len(parts[1]) and len(differing) == 1 and differing[0] in RELATION_SIDES


def is_key_or_value(function: Function, names: frozenset[str]) -> bool:
    """Return whether a function computes keys or values of an attention from one of some names."""
    derived = set(names)
    statements = sorted(scan(function, {ast.Assign}), key=attrgetter("lineno"))
    for node in (n for n in statements if isinstance(n, ast.Assign)):
        if not derived.isdisjoint(n.id for n in walk_ast(node.value) if isinstance(n, ast.Name)):
            targets = (part for target in node.targets for part in walk_ast(target))
            derived |= {part.id for part in targets if isinstance(part, ast.Name)}
    calls = (node for node in walk_ast(function) if isinstance(node, ast.Call))
    fed = (call for call in calls if any(dotted(argument) in derived for argument in call.args))
    parts = (terminal_name(part) for call in fed for part in (call.func, *call.args))
    return any(KEY_OR_VALUE.search(name.lower()) for name in (*derived, *parts))


def _is_untyped(annotation: ast.expr) -> bool:
    names = set(re.findall(r"\w+", ast.unparse(annotation)))
    return names <= UNTYPED


def _is_layer_call(node: ast.AST, names: frozenset[str], layers: frozenset[str]) -> bool:
    return (
        isinstance(node, ast.Call)
        and dotted(node.func) in layers
        and any(dotted(argument) in names for argument in node.args)
    )


def _is_scalar_use(node: ast.AST, names: frozenset[str]) -> bool:
    """Return whether a node passes a name to a constructor or to a function of sizes and numbers."""
    if not isinstance(node, ast.Call):
        return False
    last = terminal_name(node.func)
    takes_scalars = last[:1].isupper() or last in SCALAR_FUNCTIONS | SIZE_FUNCTIONS
    values = [*node.args, *(keyword.value for keyword in node.keywords)]
    return takes_scalars and any(dotted(value) in names for value in values)
