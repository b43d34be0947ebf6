"""Factory parameters that determine the size of a layer, and so its number of weights."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from esper_audit.source.syntax.ast_walk import children, walk
from esper_audit.source.syntax.names import Names, dotted, parameters

Factory = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
MAX_DEPTH = 3  # factory, module, block: further down a size has usually been renamed beyond tracing


class Sizing(NamedTuple):
    """A parameter of a factory and the code of the layer that it sizes."""

    parameter: str
    layer: str


class Layer(NamedTuple):
    """The arguments of a layer that determine its number of weights."""

    positions: tuple[int, ...]
    keywords: frozenset[str]


def _layer(*keywords: str, positions: tuple[int, ...] = ()) -> Layer:
    return Layer(positions or tuple(range(len(keywords))), frozenset(keywords))


_CONVOLUTION = _layer("in_channels", "out_channels", "kernel_size")
_RECURRENT = _layer("input_size", "hidden_size", "num_layers")
_TRANSFORMER = _layer("d_model", "dim_feedforward", positions=(0, 2))
LAYERS: dict[str, Layer] = {
    "Linear": _layer("in_features", "out_features"),
    "Bilinear": _layer("in1_features", "in2_features", "out_features"),
    **{f"Conv{n}d": _CONVOLUTION for n in (1, 2, 3)},
    **{f"ConvTranspose{n}d": _CONVOLUTION for n in (1, 2, 3)},
    **{f"BatchNorm{n}d": _layer("num_features") for n in (1, 2, 3)},
    "SyncBatchNorm": _layer("num_features"),
    "LayerNorm": _layer("normalized_shape"),
    "RMSNorm": _layer("normalized_shape"),
    "GroupNorm": _layer("num_channels", positions=(1,)),
    "Embedding": _layer("num_embeddings", "embedding_dim"),
    "EmbeddingBag": _layer("num_embeddings", "embedding_dim"),
    "MultiheadAttention": _layer("embed_dim", "kdim", "vdim", positions=(0,)),
    **dict.fromkeys(("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"), _RECURRENT),
    **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"), _TRANSFORMER),
    "PReLU": _layer("num_parameters"),
    "Parameter": _layer("data"),
}


def definitions(scope: ast.AST) -> dict[str, Factory]:
    """Return the functions and classes in a scope by name, including nested ones."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name: node for node in walk(scope) if isinstance(node, kinds)}


def sizings(
    factory: Factory, known: Mapping[str, Factory], names: Names, depth: int = 0
) -> Iterator[Sizing]:
    """Yield the parameters of a factory that size a layer, directly or through known definitions."""
    constructor = _constructor(factory)
    if constructor is None or depth > MAX_DEPTH:
        return
    known = {**known, **definitions(factory)}
    for parameter in (p.arg for p in parameters(constructor.args) if p.arg not in ("self", "cls")):
        nodes = list(_nodes(constructor, parameter))
        derived = _derived_names(parameter, nodes)
        for call in (node for node in nodes if isinstance(node, ast.Call)):
            layer = _sized_layer(call, derived, known, names, depth)
            if layer:
                yield Sizing(parameter, layer)
                break


def _constructor(factory: Factory) -> ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | None:
    """Return the function that receives the arguments of a factory."""
    if not isinstance(factory, ast.ClassDef):
        return factory
    methods = (node for node in factory.body if isinstance(node, ast.FunctionDef))
    return next((method for method in methods if method.name == "__init__"), None)


def _nodes(
    constructor: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, parameter: str
) -> Iterator[ast.AST]:
    """Yield the nodes of a function in which the name refers to the parameter."""
    stack: list[ast.AST] = (
        [*constructor.body] if isinstance(constructor.body, list) else [constructor.body]
    )
    stack.reverse()
    while stack:
        node = stack.pop()
        yield node
        if not _is_shadowing(node, parameter):
            stack += reversed(children(node))


def _is_shadowing(node: ast.AST, name: str) -> bool:
    """Return whether a node is a function that has a parameter of a name."""
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        return False
    return any(p.arg == name for p in parameters(node.args))


def _derived_names(parameter: str, nodes: list[ast.AST]) -> set[str]:
    """Return the code of the variables computed from a parameter: `hidden`, `self.dim`."""
    found = {parameter}
    before = 0
    while before < len(found):
        before = len(found)
        for node in nodes:
            if isinstance(node, ast.Assign) and _is_computed_from(node.value, found):
                found.update(ast.unparse(target) for target in node.targets)
    return found


def _is_computed_from(node: ast.expr, derived: set[str]) -> bool:
    kinds = (ast.Name, ast.Attribute)
    return any(isinstance(part, kinds) and ast.unparse(part) in derived for part in walk(node))


def _sized_layer(
    call: ast.Call, derived: set[str], known: Mapping[str, Factory], names: Names, depth: int
) -> str:
    """Return the code of the layer that a call sizes by a derived name, or an empty string."""
    written = dotted(call.func)
    called = known.get(written)
    if called is not None:
        constructor = _constructor(called)
        own = (
            [p.arg for p in parameters(constructor.args) if p.arg != "self"] if constructor else []
        )
        for sizing in sizings(called, known, names, depth + 1):
            passed = Layer((own.index(sizing.parameter),), frozenset({sizing.parameter}))
            if any(_is_computed_from(argument, derived) for argument in _arguments(call, passed)):
                return sizing.layer
        return ""
    layer = LAYERS.get((names.resolve(written) or written).rpartition(".")[2])
    is_sized = layer is not None and any(
        _is_computed_from(a, derived) for a in _arguments(call, layer)
    )
    return ast.unparse(call) if is_sized else ""


def _arguments(call: ast.Call, layer: Layer) -> Iterator[ast.expr]:
    yield from (call.args[position] for position in layer.positions if position < len(call.args))
    yield from (k.value for k in call.keywords if k.arg in layer.keywords)
