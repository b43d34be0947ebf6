"""Recipes as plain data and back, for YAML files and for messages between processes.

A tensor is `{tensor: [2, 8], dtype: int64, high: 10}`, a name `{name: "torch.nn:ReLU"}`, a call
`{call: "torch.nn:Linear", args: [8, 8]}`, a tuple `{tuple: [1, 2]}`, a dictionary `{dict: {...}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from esper_audit.findings.coverage import RecipeOrigin
from esper_audit.findings.errors import ConfigError
from esper_audit.probes.recipes.recipe import BatchAxis, Recipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    TensorSpec,
    TupleSpec,
    Value,
)

NAMES = ("name", "call")  # the keys of what is imported


def encode_value(value: Value) -> Any:
    """Return a value as plain data."""
    if isinstance(value, TensorSpec):
        return _encode_tensor(value)
    if isinstance(value, NameSpec):
        return {"name": value.path, **_encode_given(value)}
    if isinstance(value, CallSpec):
        arguments = encode_arguments(Arguments(value.args, value.kwargs))
        return {"call": value.path, **_encode_given(value), **arguments}
    if isinstance(value, TupleSpec):
        return {"tuple": [encode_value(item) for item in value.items]}
    if isinstance(value, list):
        return [encode_value(item) for item in value]
    if isinstance(value, dict):
        return {"dict": {key: encode_value(item) for key, item in value.items()}}
    return value


def _encode_given(value: NameSpec | CallSpec) -> dict[str, Any]:
    given = {name: encode_value(item) for name, item in value.given.items()}
    return {"given": given} if given else {}


def _encode_tensor(spec: TensorSpec) -> dict[str, Any]:
    plain: dict[str, Any] = {"tensor": list(spec.shape)}
    if spec.dtype != "float32":
        plain["dtype"] = spec.dtype
    if spec.low:
        plain["low"] = spec.low
    if spec.high is not None:
        plain["high"] = spec.high
    return plain


def encode_arguments(arguments: Arguments) -> dict[str, Any]:
    """Return arguments as plain data, without the empty part."""
    plain: dict[str, Any] = {}
    if arguments.args:
        plain["args"] = [encode_value(value) for value in arguments.args]
    if arguments.kwargs:
        plain["kwargs"] = {name: encode_value(v) for name, v in arguments.kwargs.items()}
    return plain


def encode_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain data."""
    plain: dict[str, Any] = {"class": recipe.target, "origin": str(recipe.origin)}
    plain["build"] = encode_arguments(recipe.build)
    plain["call"] = encode_arguments(recipe.call)
    if recipe.batch is not None:
        plain["batch"] = {"axis": recipe.batch.axis, "size": recipe.batch.size}
    return plain


def decode_value(plain: Any) -> Value:
    """Return the value of plain data."""
    if isinstance(plain, list):
        return [decode_value(item) for item in plain]
    if not isinstance(plain, dict):
        literal: Value = plain
        return literal
    if "tensor" in plain:
        rest = {key: plain[key] for key in ("dtype", "low", "high") if key in plain}
        return TensorSpec(tuple(plain["tensor"]), **rest)
    if "name" in plain:
        return NameSpec(plain["name"], _decode_given(plain))
    if "call" in plain:
        arguments = decode_arguments(plain)
        return CallSpec(plain["call"], arguments.args, arguments.kwargs, _decode_given(plain))
    if "tuple" in plain:
        return TupleSpec(tuple(decode_value(item) for item in plain["tuple"]))
    if "dict" in plain:
        return {key: decode_value(item) for key, item in plain["dict"].items()}
    raise ConfigError(
        f"recipe: unknown kind of value (got {sorted(plain)}, expected tensor, name, call, tuple or dict)"
    )


def _decode_given(plain: dict[str, Any]) -> dict[str, Value]:
    return {name: decode_value(item) for name, item in plain.get("given", {}).items()}


def map_names(plain: Any, change: Callable[[str], str]) -> Any:
    """Return the plain data of arguments with the path of each name that is imported or called replaced."""
    if plain is None:
        return None
    mapped = dict(plain)
    if "args" in plain:
        mapped["args"] = [_with_names(item, change) for item in plain["args"]]
    for key in ("kwargs", "given"):
        if key in plain:
            mapped[key] = {name: _with_names(item, change) for name, item in plain[key].items()}
    return mapped


def _with_names(plain: Any, change: Callable[[str], str]) -> Any:
    if isinstance(plain, list):
        return [_with_names(item, change) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "tuple" in plain:
        return {"tuple": _with_names(plain["tuple"], change)}
    if "dict" in plain:
        return {"dict": {key: _with_names(item, change) for key, item in plain["dict"].items()}}
    mapped: dict[str, Any] = map_names(plain, change)
    return {key: change(item) if key in NAMES else item for key, item in mapped.items()}


def decode_arguments(plain: dict[str, Any]) -> Arguments:
    """Return the arguments of plain data."""
    return Arguments(
        tuple(decode_value(value) for value in plain.get("args", ())),
        {name: decode_value(value) for name, value in plain.get("kwargs", {}).items()},
    )


def decode_recipe(plain: dict[str, Any]) -> Recipe:
    """Return the recipe of plain data.

    Raise ConfigError if a part of it is invalid.
    """
    try:
        batch = plain.get("batch")
        return Recipe(
            target=plain["class"],
            build=decode_arguments(plain.get("build", {})),
            call=decode_arguments(plain.get("call", {})),
            origin=RecipeOrigin(plain.get("origin", RecipeOrigin.DECLARED)),
            batch=None if batch is None else BatchAxis(batch["axis"], batch["size"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"recipe: invalid ({type(error).__name__}: {error})") from error
