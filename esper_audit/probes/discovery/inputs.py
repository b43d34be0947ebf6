"""The likely arguments of a call: the first input, then the others by name and annotation."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from esper_audit.probes.discovery.construction.guesses import (
    annotation_text,
    guesses_for,
    matching_row,
    required_parameters,
)
from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.discovery.layouts import BATCH, LENGTH, grid_of, length_of
from esper_audit.probes.recipes.values import Arguments, TensorSpec, Value, tensors_in

NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
WHOLE_NUMBERS = re.compile(r"([Tt]uple|[Ll]ist|Sequence)\[int(, (int|\.\.\.))*\]|(torch\.)?Size")
# `torch.LongTensor`, and `Int[Tensor, "batch"]` of jaxtyping.
OF_DTYPE = re.compile(
    r"\b(Long|Int|Short|Bool)Tensor\b|\b(U?Int(8|16|32|64)?|Bool)\[(\w+\.)*Tensor"
)
ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
MISSING = re.compile(
    r"missing (\d+) required (?:positional|keyword-only) arguments?|(?:expect\w*|takes|needs) (\d+) (?:positional )?"
    r"(?:arguments|inputs|tensors)"
)
QUOTED = re.compile(r"'(\w+)'")
MOST_MISSING = 5
PLAIN_ANNOTATIONS = frozenset({"int", "float", "bool", "str"})


# The objects of the classes that a parameter is annotated with, made of tensors like a first one.
Objects: TypeAlias = Callable[[inspect.Parameter, TensorSpec], Iterator[Value]]


def call_arguments(
    parameters: list[inspect.Parameter], first: TensorSpec, value: Value, objects: Objects
) -> Iterator[tuple[Arguments, int]]:
    """Yield the arguments of a call with a first value, with their distance from the likeliest.

    `first` is a tensor in it, which the others are shaped by. One argument at a time takes its next likely value.
    """
    lists = [
        [value] if number == 0 else [*objects(parameter, first), *values_of(parameter, first)]
        for number, parameter in enumerate(parameters)
    ]
    yield _arguments(parameters, [values[0] for values in lists]), 0
    for number, values in enumerate(lists):
        for distance, value in enumerate(values[1:], 1):
            chosen = [others[0] for others in lists]
            chosen[number] = value
            yield _arguments(parameters, chosen), distance
    if len(lists) > 2:
        for distance in range(1, max(map(len, lists))):
            chosen = [values[min(distance, len(values) - 1)] for values in lists]
            yield _arguments(parameters, chosen), distance


def _arguments(parameters: list[inspect.Parameter], values: list[Value]) -> Arguments:
    """Return keyword-only parameters by name and the others by position."""
    is_keyword = [p.kind is inspect.Parameter.KEYWORD_ONLY for p in parameters]
    pairs = list(zip(parameters, values, is_keyword, strict=True))
    return Arguments(
        tuple(value for _, value, keyword in pairs if not keyword),
        {p.name: value for p, value, keyword in pairs if keyword},
    )


LISTED = re.compile(r".*\b([Ll]ist|Sequence|Iterable|[Tt]uple)\[(\w+\.)*Tensor.*")
MAPPED = re.compile(r".*\b([Dd]ict|Mapping)\b.*|TensorDict")


@dataclass(frozen=True)
class Lists:
    """The lists of tensors that a constructor suggests: of given shapes, and of pictures that become smaller."""

    shaped: Sequence[list[TensorSpec]]
    pyramids: Sequence[list[TensorSpec]]


SEVERAL = re.compile(
    r"\w*(inputs|features|feats|feature_maps|maps|tensors|outputs|levels|pyramid|xs|list|fmaps)",
    re.IGNORECASE,
)
OF_GRAPHS = frozenset({"edges", "of-node", "of-edge"})  # whole numbers, also as a first argument
MOST_KEYS = 4
MOST_OF_A_KEY = 6


def first_values(
    parameter: inspect.Parameter,
    inputs: Sequence[TensorSpec],
    lists: Lists,
    forward: Callable[..., object],
) -> Iterator[tuple[TensorSpec, Value]]:
    """Yield the likely first arguments, each with its first tensor, as a list or dictionary where one is meant.

    The keys of a dictionary are those that the source of `forward` reads. `lists` come from the constructor.
    """
    text = annotation_text(parameter.annotation)
    for specs in lists.shaped:
        yield specs[0], [*specs]
    keys = _keys_read(forward, parameter.name)
    if keys and (MAPPED.fullmatch(text) or not text):
        for chosen in itertools.product(inputs[:MOST_OF_A_KEY], repeat=len(keys[:MOST_KEYS])):
            yield chosen[0], dict(zip(keys, chosen, strict=False))
    if LISTED.fullmatch(text) or (not text and SEVERAL.fullmatch(parameter.name)):
        for specs in lists.pyramids:
            yield specs[0], [*specs]
    if LISTED.fullmatch(text):
        for spec in inputs:
            yield spec, [spec, spec]
    for spec in inputs:
        if dtype := annotated_dtype(parameter):
            yield spec, of_dtype(spec, dtype)
    for kind in matching_row("call", parameter.name)[:1]:
        graphs = tensors_of_kind(kind, inputs[0]) if kind in OF_GRAPHS else ()
        yield from ((spec, spec) for spec in graphs if isinstance(spec, TensorSpec))
    for spec in inputs:
        yield spec, spec


def annotated_dtype(parameter: inspect.Parameter) -> str:
    """Return the dtype that the annotation of a tensor names, empty if it names none."""
    found = OF_DTYPE.search(annotation_text(parameter.annotation))
    return ("bool" if found[0].startswith("Bool") else "int64") if found else ""


def of_dtype(spec: TensorSpec, dtype: str) -> TensorSpec:
    """Return a tensor of the same shape and another dtype, as it is if it has that dtype."""
    if spec.dtype == dtype:
        return spec
    return (
        TensorSpec(spec.shape, dtype) if dtype == "bool" else TensorSpec(spec.shape, dtype, 0, 10)
    )


def _keys_read(function: Callable[..., object], name: str) -> list[str]:
    """Return the texts by which a function subscripts one of its parameters, in order."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return []
    found: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if node.value.id == name and isinstance(key, str):
                found.setdefault(key)
    return [*found]


def call_parameters(forward: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the parameters that a call has to give: the required ones, else the first one."""
    required = required_parameters(forward)
    if required:
        return required
    every = list(inspect.signature(forward).parameters.values())
    if every and every[0].kind is not inspect.Parameter.VAR_KEYWORD:
        kind = inspect.Parameter.POSITIONAL_ONLY
        name = every[0].name
        return [inspect.Parameter(name, kind, annotation=every[0].annotation)]
    return []


def with_missing(
    forward: Callable[..., object], call: Arguments, failure: TrialFailure
) -> Iterator[Arguments]:
    """Yield the call with the arguments that a message counts or names, where a forward takes any."""
    kinds = {p.kind for p in inspect.signature(forward).parameters.values()}
    found = MISSING.search(failure.message)
    specs = tensors_in(call)
    if not found or not specs or not kinds & {*ANY_NUMBER}:
        return
    names = QUOTED.findall(failure.message[found.end() :])
    wanted = int(found[1] or found[2])
    if found[1] is None and len(names) >= wanted:
        names = names[len(call.args) :]
    first = specs[0]
    others = [next(values_of(named_parameter(name), first)) for name in names] or [first]
    if inspect.Parameter.VAR_KEYWORD in kinds and found[1] is not None:
        yield Arguments(call.args, {**call.kwargs, **dict(zip(names, others, strict=False))})
    missing = wanted if found[1] is not None else wanted - len(call.args)
    if 0 < missing <= MOST_MISSING:
        added = [*others, *[first] * missing][:missing]
        yield Arguments((*call.args, *added), call.kwargs)


def named_parameter(name: str) -> inspect.Parameter:
    """Return a parameter of which only the name is known."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)


def takes_any_number(forward: Callable[..., object]) -> bool:
    """Return whether the first parameter of a call is `*name`."""
    first = next(iter(inspect.signature(forward).parameters.values()), None)
    return first is not None and first.kind is inspect.Parameter.VAR_POSITIONAL


def with_optional(
    forward: Callable[..., object], call: Arguments, failure: TrialFailure
) -> Iterator[Arguments]:
    """Yield the call with an argument that may be left out added where a failure asks for it."""
    specs = tensors_in(call)
    is_none = "NoneType" in failure.message
    said = frozenset(re.findall(r"\w+", failure.message)) - {""}
    for number, parameter in enumerate(inspect.signature(forward).parameters.values()):
        name = parameter.name
        is_given = name in call.kwargs or number < len(call.args)
        is_said = any(name == word or name.endswith(f"_{word}") for word in said)
        is_meant = is_said or (is_none and parameter.default is None and name in failure.names)
        if specs and is_meant and not is_given and parameter.kind in NAMED:
            values = values_of(parameter, specs[0])
            yield from (call.with_value(name, value) for value in values if value is not None)


def is_plain(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter is annotated as a number or a text."""
    return annotation_text(parameter.annotation) in PLAIN_ANNOTATIONS


def values_of(parameter: inspect.Parameter, first: TensorSpec) -> Iterator[Value]:
    """Yield the likely values of an argument of a call, in relation to the first input."""
    if is_plain(parameter) or WHOLE_NUMBERS.fullmatch(annotation_text(parameter.annotation)):
        yield from guesses_for(parameter)
        return
    kinds = matching_row("call", parameter.name) or ("same", "sequence")
    found: dict[int, Value] = {}
    for kind in kinds:
        for value in tensors_of_kind(kind, first):
            found[len(found)] = value
    dtype = annotated_dtype(parameter)
    named = (of_dtype(v, dtype) for v in found.values() if isinstance(v, TensorSpec) and dtype)
    yield from dict.fromkeys([*named, *found.values()])


def tensors_of_kind(kind: str, first: TensorSpec) -> Iterator[Value]:
    """Yield the values of a kind of argument, in relation to the first input."""
    shape = first.shape
    batch = shape[0] if shape else BATCH
    length = length_of(first)
    width = 32 if not first.is_floating else (shape[1] if len(shape) > 3 else shape[-1])
    table: dict[str, list[Value]] = {
        "same": [first],
        "row": [TensorSpec((batch,), high=1.0)],
        "row-ids": [TensorSpec((batch,), "int64", 0, 10)],
        "ids": [TensorSpec((batch, length), "int64", 0, 10), TensorSpec((batch,), "int64", 0, 10)],
        "mask": [TensorSpec((batch, length), "bool"), TensorSpec((batch, length), "float32", 0, 1)],
        "same-mask": [TensorSpec(shape, "bool"), TensorSpec((batch, 1, *shape[2:]), "bool")],
        "square-mask": [TensorSpec((length, length), "bool"), TensorSpec((batch, 1, length, length), "bool")],
        "none": [None],
        "one": [1],
        "rows": [grid_of(first)[0]],
        "columns": [grid_of(first)[1]],
        "lengths": [TensorSpec((batch,), "int64", length, length + 1)],
        "ratios": [TensorSpec((batch,), "float32", 0.6, 1.0)],
        "emb": [TensorSpec((batch, width)), TensorSpec((batch, 32))],
        "sequence": [TensorSpec((batch, LENGTH, width)), TensorSpec((batch, 16, 32))],
        "picture": [TensorSpec((batch, 3, 32, 32)), TensorSpec((batch, 32, 16, 16))],
        "edges": [TensorSpec((2, 2 * LENGTH), "int64", 0, batch)],
        "of-edges": [TensorSpec((2 * LENGTH,), high=1.0), TensorSpec((2 * LENGTH, width))],
        "of-node": [TensorSpec((batch,), "int64", 0, 2)],
        "of-edge": [TensorSpec((2 * LENGTH,), "int64", 0, 2), TensorSpec((batch,), "int64", 0, 2)],
        "one-graph": [TensorSpec((batch,), "int64", 0, 1)],
        "classes": [TensorSpec((batch,), "int64", 0, 2)],
        "class-map": [TensorSpec((batch, *shape[2:]), "int64", 0, 2)],
    }  # fmt: skip
    yield from table[kind]
