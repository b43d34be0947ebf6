"""A recipe as plain PyTorch source text: imports, construction, inputs, call."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from esper_audit.probes.recipes.local_definitions import (
    definition_at,
    factory,
    globals_of,
    import_of,
    is_local,
)
from esper_audit.probes.recipes.materialise import imported_module
from esper_audit.probes.recipes.recipe import Recipe
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    TensorSpec,
    TupleSpec,
    Value,
    is_drawn,
    map_arguments,
    map_leaves,
)
from esper_audit.source.modules.module_names import module_of_file

INPUTS = ("x", "y", "z", "w")


@dataclass
class RecipeText:
    """The parts of a program that builds and calls a module.

    `arguments` are the lines that assign tensors of the constructor, `inputs` those of the call. `names`
    are the variables of the call, `call` is the text of its arguments between the parentheses, and
    `other_call` the same with tensors drawn anew. `definitions` are classes and functions that cannot be
    imported.
    """

    construct: str = ""
    arguments: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    call: str = ""
    other_call: str = ""
    names: list[str] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    definitions: list[str] = field(default_factory=list)


def recipe_text(recipe: Recipe) -> RecipeText:
    """Return the text of a recipe."""
    text = RecipeText()
    name = _name_text(recipe.target, text)
    build = map_arguments(recipe.build, lambda spec: _argument_variable(spec, text))
    built = f"{name}({arguments_text(build, text)})"
    text.construct = name if recipe.is_function else built
    text.other_call = arguments_text(recipe.call, text)
    given = map_arguments(recipe.call, lambda spec: _variable(spec, text))
    given = Arguments(
        tuple(map_leaves(value, lambda leaf: _object_variable(leaf, text)) for value in given.args),
        {
            k: map_leaves(v, lambda leaf: _object_variable(leaf, text))
            for k, v in given.kwargs.items()
        },
    )
    text.call = arguments_text(given, text)
    return text


def _argument_variable(spec: TensorSpec, text: RecipeText) -> NameSpec:
    """Return the name of a new variable that holds a tensor for each construction of the module."""
    name = f"argument{len(text.arguments) or ''}"
    text.arguments.append(f"{name} = {tensor_text(spec)}")
    return NameSpec(f"builtins:{name}")


def _variable(spec: TensorSpec, text: RecipeText) -> NameSpec:
    """Return the name of a new variable that holds a tensor."""
    free = [name for name in INPUTS if name not in text.names]
    name = free[0] if free else f"x{len(text.names)}"
    text.names.append(name)
    text.inputs.append(f"{name} = {tensor_text(spec)}")
    return NameSpec(f"builtins:{name}")


def _object_variable(leaf: Value, text: RecipeText) -> Value:
    """Return the name of a new variable for an object that is made of random tensors, any other leaf itself."""
    if not isinstance(leaf, CallSpec) or not is_drawn(leaf):
        return leaf
    name = f"given{len(text.inputs) - len(text.names) or ''}"
    text.inputs.append(f"{name} = {value_text(leaf, text)}")
    return NameSpec(f"builtins:{name}")


def arguments_text(arguments: Arguments, text: RecipeText) -> str:
    """Return the text between the parentheses of a call, and add what it imports to `text`."""
    positional = [value_text(value, text) for value in arguments.args]
    named = [f"{name}={value_text(value, text)}" for name, value in arguments.kwargs.items()]
    return ", ".join([*positional, *named])


def value_text(value: Value, text: RecipeText) -> str:
    """Return a value as a Python expression, and add what it imports to `text`."""
    if isinstance(value, TensorSpec):
        return tensor_text(value)
    if isinstance(value, NameSpec):
        return _reference_text(value, text)
    if isinstance(value, CallSpec):
        arguments = arguments_text(Arguments(value.args, value.kwargs), text)
        return f"{_reference_text(value, text)}({arguments})"
    if isinstance(value, TupleSpec):
        items = [value_text(item, text) for item in value.items]
        return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
    if isinstance(value, list):
        return f"[{', '.join(value_text(item, text) for item in value)}]"
    if isinstance(value, dict):
        items = [f"{key!r}: {value_text(item, text)}" for key, item in value.items()]
        return f"{{{', '.join(items)}}}"
    return f"float({str(value)!r})" if value in (float("inf"), -float("inf")) else repr(value)


def tensor_text(spec: TensorSpec) -> str:
    """Return the expression that draws a tensor."""
    size = ", ".join(map(str, spec.shape))
    if spec.dtype == "bool" and spec.high is not None:
        return f"torch.rand({size or '()'}) < {spec.high:g}"
    if spec.dtype == "bool":
        return f"torch.ones({size or '()'}, dtype=torch.bool)"
    if not spec.is_floating:
        high = max(int(spec.low) + 1, int(10 if spec.high is None else spec.high))
        shape = f"({size},)" if len(spec.shape) == 1 else f"({size})"
        kind = "" if spec.dtype == "int64" else f", dtype=torch.{spec.dtype}"
        return f"torch.randint({int(spec.low)}, {high}, {shape}{kind})"
    kind = "" if spec.dtype == "float32" else f", dtype=torch.{spec.dtype}"
    if spec.high is None:
        offset = f" + {spec.low:g}" if spec.low else ""
        return f"torch.randn({size or '()'}{kind}){offset}"
    scale = spec.high - spec.low
    drawn = f"torch.rand({size or '()'}{kind})" + (f" * {scale:g}" if scale != 1 else "")
    return drawn + (f" + {spec.low:g}" if spec.low else "")


def _reference_text(value: NameSpec | CallSpec, text: RecipeText) -> str:
    """Return how something that is imported is written, and define first what is local to a function."""
    if not is_local(value.path):
        return _name_text(value.path, text)
    module = imported_module(value.path)
    found = definition_at(str(vars(module)["__file__"]), value.path.partition(":")[2])
    if found is None:
        return value.path  # the module could not have been built
    text.imports.update(import_of(module, name) for name in globals_of(found, value.given))
    if not value.given and isinstance(found, ast.Lambda):
        return f"({ast.unparse(found)})"
    name = "function" if isinstance(found, ast.Lambda) else found.name
    defined = factory(found, f"make_{name}", value.given) if value.given else found
    definition = ast.unparse(defined)
    if definition not in text.definitions:
        text.definitions.append(definition)
    return (
        f"make_{name}({arguments_text(Arguments((), value.given), text)})" if value.given else name
    )


def _name_text(path: str, text: RecipeText) -> str:
    """Return how a name is written, `nn.ReLU` for what lies in `torch.nn`."""
    module, _, name = path.partition(":")
    module = module_of_file(module) if module.endswith(".py") else module
    if module in ("torch.nn", "torch"):
        text.imports.add("from torch import nn" if module == "torch.nn" else "import torch")
        return f"{module.removeprefix('torch.')}.{name}"
    if module == "builtins":
        return name
    if module == "torch.nn.functional":
        text.imports.add("import torch.nn.functional as F")
        return f"F.{name}"
    first = name.partition(".")[0]
    text.imports.add(f"from {module} import {first}")
    return name
