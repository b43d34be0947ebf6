"""The likely values of an argument, by its annotation and name, from the table `guesses.yaml`."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import os
import re
import types
import typing
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from torch import nn

from esper_audit.probes.discovery.construction.text_choices import compared_texts, texts_of_name
from esper_audit.probes.recipes.plain_data import decode_value
from esper_audit.probes.recipes.values import CallSpec, NameSpec, TupleSpec, Value

TABLE = os.path.join(os.path.dirname(__file__), "guesses.yaml")
SCALARS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "str": (str,),
}
SEQUENCE_OF_INTS = re.compile(r"\b([Tt]uple|[Ll]ist|Sequence|Iterable)\[int\b[^\]]*\]")
DEEPEST = 2  # a module that takes a module that takes a module
DEEPEST_RECORD = 4  # settings in settings


@cache
def guess_table() -> dict[str, list[tuple[re.Pattern[str], tuple[Any, ...]]]]:
    """Return the rows of each section of the table: a pattern of names, and the likely values."""
    import yaml

    with open(TABLE, encoding="utf-8") as file:
        sections = yaml.load(file, Loader=yaml.CSafeLoader)
    assert all(sections.values()), f"{TABLE}: a section is empty"
    return {
        name: [(re.compile(str(row[0]), re.IGNORECASE), tuple(row[1:])) for row in rows]
        for name, rows in sections.items()
    }


def matching_row(section: str, text: str) -> tuple[Any, ...]:
    """Return the values of the first row of a section whose pattern matches the whole text."""
    return next(
        (values for pattern, values in guess_table()[section] if pattern.fullmatch(text)), ()
    )


def guesses_for(
    parameter: inspect.Parameter, depth: int = 0, owner: type | None = None
) -> tuple[Value, ...]:
    """Return the likely values of a constructor's parameter, the likeliest first.

    `owner` is the class that it belongs to, whose package has texts that it takes.
    """
    by_type = _by_type(parameter.annotation, depth)
    if by_type:
        return by_type
    none = (None,) if owner is not None and _is_none_or_own(parameter.annotation, owner) else ()
    return (*none, *_named_guesses(parameter, owner))


def _is_none_or_own(annotation: object, owner: type) -> bool:
    """Return whether an annotation allows None, and else only classes of the package of another one."""
    package = owner.__module__.partition(".")[0]
    others = alternatives(annotation)
    are_own = [isinstance(k, type) and k.__module__.partition(".")[0] == package for k in others]
    return all(are_own) and others != [annotation]


def _named_guesses(parameter: inspect.Parameter, owner: type | None) -> tuple[Value, ...]:
    """Return the likely values of a parameter by its name and by the text of its annotation."""
    named = tuple(map(decode_value, matching_row("constructor", parameter.name)))
    text = annotation_text(parameter.annotation)
    if not text:
        texts = compared_texts(owner, parameter.name) if owner else []
        return (*texts, *named) or (32,)
    return (*_texts(parameter.name, text, owner), *_typed(text, named))


def _texts(name: str, annotation: str, owner: type | None) -> list[str]:
    """Return the texts of a package for a parameter that is annotated as one."""
    if owner is None or "str" not in _alternatives_in(annotation):
        return []
    return texts_of_name(owner, name)


def _typed(text: str, named: tuple[Value, ...]) -> tuple[Value, ...]:
    """Return the likely values of a name that fit an annotation, then those of the annotation."""
    typed = tuple(map(decode_value, matching_row("annotation", text)))
    kinds = [kind for kind in _alternatives_in(text) if kind in SCALARS]
    fitting = tuple(v for v in named if any(_is_scalar(v, kind) for kind in kinds))
    if text == "float":
        fitting = tuple(float(v) for v in fitting if isinstance(v, (int, float)))
    if text in SCALARS:
        return fitting or typed
    if kinds:
        plain = map(decode_value, matching_row("annotation", kinds[0]))
        return (*fitting, *_of_length(text, named), *typed, *named, *plain)
    if text == "Any":
        return (*named, *typed) or (32,)
    return (*_of_length(text, named), *typed, *named) or (32,)


def _of_length(text: str, named: Sequence[Value]) -> Iterator[Value]:
    """Yield the likely lists of a name, and its numbers repeated, where an annotation asks for whole numbers."""
    found = SEQUENCE_OF_INTS.search(text)
    if not found:
        return
    counts = (
        [found[0].count("int")] if found[1].lower() == "tuple" and "..." not in found[0] else []
    )
    for value in named:
        items = value.items if isinstance(value, TupleSpec) else value
        if isinstance(items, (list, tuple)) and (not counts or len(items) in counts):
            yield TupleSpec(tuple(items)) if counts else list(items)
    for value in named:
        if isinstance(value, int) and not isinstance(value, bool):
            yield TupleSpec((value,) * counts[0]) if counts else [value] * 2


def _alternatives_in(text: str) -> list[str]:
    """Return the types that the text of an annotation allows."""
    inner = text[len("Union[") : -1] if text.startswith("Union[") else text
    depth, parts = 0, [""]
    for character in inner:
        depth += (character == "[") - (character == "]")
        if depth == 0 and character in "|,":
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _is_scalar(value: Value, kind: str) -> bool:
    """Return whether a literal is of the annotated type, where a bool is no number."""
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, SCALARS[kind])


def annotation_text(annotation: object) -> str:
    """Return an annotation as text, without quotes and `Optional`."""
    if annotation is inspect.Parameter.empty:
        return ""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    if isinstance(annotation, types.GenericAlias):
        text = str(annotation)
    text = text.strip("'\"").replace("typing.", "").replace("torch.Tensor", "Tensor")
    text = re.sub(r"^Optional\[(.*)\]$", r"\1", text)
    return re.sub(r"\s*\|\s*None$", "", text)


def _by_type(annotation: object, depth: int) -> tuple[Value, ...]:
    """Return values for an annotation that is a class, an enumeration or a list of literals."""
    for kind in alternatives(annotation):
        if typing.get_origin(kind) is typing.Literal:
            return tuple(value for value in typing.get_args(kind))
        is_record = dataclasses.is_dataclass(kind)
        if not isinstance(kind, type) or depth >= (DEEPEST_RECORD if is_record else DEEPEST):
            continue
        if issubclass(kind, enum.Enum):
            path = f"{kind.__module__}:{kind.__qualname__}"
            return tuple(NameSpec(f"{path}.{member.name}") for member in kind)
        if is_record and not issubclass(kind, nn.Module):
            return (constructor_call(kind, depth + 1),)
    return ()


def annotated_classes(annotation: object) -> list[type]:
    """Return the classes that an annotation names as alternatives."""
    return [kind for kind in alternatives(annotation) if isinstance(kind, type)]


def alternatives(annotation: object) -> Sequence[object]:
    """Return the types that an annotation allows, without None."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return [annotation]


def constructor_call(kind: type, depth: int) -> CallSpec:
    """Return the construction of a class with the likeliest values of its required arguments."""
    kwargs = {
        parameter.name: guesses_for(parameter, depth, kind)[0]
        for parameter in required_parameters(kind)
    }
    return CallSpec(f"{kind.__module__}:{kind.__qualname__}", (), kwargs)


def parameters_of(function: Any) -> list[inspect.Parameter]:
    """Return the parameters of a class or function, with annotations resolved where that works."""
    try:
        signature = inspect.signature(function, eval_str=True)
    # An annotation may name what is imported for the type checker only.
    except (NameError, TypeError, AttributeError, SyntaxError, ValueError):
        signature = _plain_signature(function)
    return list(signature.parameters.values())


def _plain_signature(function: Any) -> inspect.Signature:
    """Return a signature without its annotations resolved, an empty one for what has none, such as a mock."""
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return inspect.Signature()


def is_required(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter has no default."""
    return parameter.default is inspect.Parameter.empty


def is_named(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter can be given by its name."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return parameter.kind in kinds


def required_parameters(function: Any) -> list[inspect.Parameter]:
    """Return the named parameters without a default."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        parameter
        for parameter in parameters_of(function)
        if parameter.default is inspect.Parameter.empty and parameter.kind not in kinds
    ]
