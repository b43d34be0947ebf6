"""The lines of a program that calls a module step by step with its cache."""

from __future__ import annotations

from esper_audit.probes.measure.stepwise.cached_call import DICTIONARY, OFFSET, CachedCall
from esper_audit.probes.recipes.source_text import RecipeText, arguments_text, recipe_text
from esper_audit.probes.recipes.values import Arguments, NameSpec, TensorSpec, Value, map_arguments


def stepwise_lines(way: CachedCall, *, is_second: bool) -> list[str]:
    """Return the lines that compute `expected` and `got`: whole pass and steps, or two steps from one cache."""
    first, length, axis = way.first, way.cut.length, ":, " * way.cut.output_axis
    prefix = _call(way, 0, first)
    given = [f"    cache = module({prefix}){way.part}"]
    if way.part == DICTIONARY:
        given = ["    cache = {}", f"    module({prefix}, {way.parameter}=cache)"]
    last = f"[{axis}-1:]" if way.is_whole else ""
    if is_second:
        step = f"module({_step(way, first, first + 1)}){way.cut.path}{last}"
        steps = [f"    expected = {step}.clone()", f"    got = {step}"]
        return ["with torch.no_grad():", *given, *steps]
    return [
        "with torch.no_grad():",
        f"    expected = module({_call(way, 0, length)}){way.cut.path}[{axis}{first}:]",
        *given,
        "    steps = []",
        f"    for t in range({first}, {length}):",
        f"        output = module({_step(way, 't', 't + 1')})",
        f"        steps.append(output{way.cut.path}{last})",
        *([] if way.part == DICTIONARY else [f"        cache = output{way.part}"]),
        f"    got = torch.cat(steps, {way.cut.output_axis})",
    ]


def _step(way: CachedCall, start: int | str, stop: int | str) -> str:
    """Return the arguments of a step."""
    call = _call(way, 0 if way.is_whole else start, stop, is_step=True)
    at = start if OFFSET.fullmatch(way.position) else f"torch.tensor([{start}])"
    position = f", {way.position}={at}" if way.position else ""
    return f"{call}{position}, {way.parameter}=cache"


def _call(way: CachedCall, start: int | str, stop: int | str, *, is_step: bool = False) -> str:
    """Return the arguments at some positions."""
    recipe = way.subject.recipe
    names = iter(enumerate(recipe_text(recipe).names))

    def cut(_: TensorSpec) -> Value:
        number, name = next(names)
        index = way.cut.index(number, start, stop)
        is_whole = (start, stop) == (0, way.cut.length) or not index
        return NameSpec(f"builtins:{name}{'' if is_whole else _text(index)}")

    changed = map_arguments(recipe.call, cut)
    if is_step:
        changed = changed.without(way.parameter)
    return arguments_text(Arguments(changed.args, changed.kwargs), RecipeText())


def _text(index: tuple[slice, ...]) -> str:
    parts = [f"{one.start or ''}:{'' if one.stop is None else one.stop}" for one in index]
    return f"[{', '.join(parts)}]"
