"""Values that are drawn at random, also in a function of the file, and layers that keep them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.source.idioms.classes.attribute_use import AttributeUse
from esper_audit.source.idioms.state.learned_values import is_tensor_made
from esper_audit.source.syntax.ast_walk import returned_values, scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function, dotted, parameters, terminal_name

DRAWING_FUNCTIONS = frozenset(
    {"rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "bernoulli"}
    | {"multinomial", "normal", "permutation", "choice", "standard_normal", "uniform", "sample"}
    | {"shuffle", "integers", "random", "random_sample", "choices"}
)
DRAWING_METHODS = frozenset({"normal_", "uniform_", "random_", "bernoulli_", "trunc_normal_"})
DRAWING = DRAWING_FUNCTIONS | DRAWING_METHODS
DRAWING_MODULES = ("torch.", "numpy.random.", "random.")
PLAIN_TYPES = frozenset({"bool", "int", "float", "str"})
KEEPING = ("torch.nn.", "torch.Generator")
CONSTANT_INITS = frozenset({"constant_", "zeros_", "ones_", "eye_", "dirac_", "calculate_gain"})


def draws(value: ast.expr, file: FileView) -> ast.Call | None:
    """Return a call in an expression that draws at random, directly or in a function of the file.

    What a parameter, a buffer or a layer keeps is not returned: it is in the state dict. Neither is a
    draw with a generator of its own, which a seed can repeat.
    """
    for call in _calls_outside_layers(value, file):
        if _is_draw(call, file):
            return call
        helper = _function(call, file)
        if helper is not None and _returns_draw(helper, file):
            return call
    return None


def _returns_draw(helper: Function, file: FileView) -> bool:
    """Return whether a function returns what it draws, and not a flag, a number or what it is given."""
    if is_seeded(helper) or (helper.returns is not None and dotted(helper.returns) in PLAIN_TYPES):
        return False
    given = {parameter.arg for parameter in parameters(helper.args)}
    assigned = [node for node in scan(helper, {ast.Assign}) if isinstance(node, ast.Assign)]
    drawn = set(_drawn_into(helper, file)) - given
    while True:
        known = len(drawn)
        for node in assigned:
            if _has_draw(node.value, drawn, file):
                drawn |= {n for target in node.targets for n in _bound_names(target)} - given
        if len(drawn) == known:
            return any(_has_draw(value, drawn, file) for value in returned_values(helper))


def _drawn_into(function: Function, file: FileView) -> Iterator[str]:
    """Yield the names of new tensors that a function draws in place (`init.orthogonal_(x)`)."""
    nodes = [node for node in scan(function, {ast.Assign}) if isinstance(node, ast.Assign)]
    made = {dotted(n.targets[0]) for n in nodes if is_tensor_made(n.value, file)}
    for call in scan(function, {ast.Call}):
        if not isinstance(call, ast.Call) or any(k.arg == "generator" for k in call.keywords):
            continue
        is_method = terminal_name(call.func) in DRAWING_METHODS
        drawn = call.args[0] if _is_random_init(call, file) and call.args else None
        name = dotted(drawn) if drawn is not None else _root(call.func) if is_method else ""
        if name in made:
            yield name


def _has_draw(value: ast.expr, drawn: set[str], file: FileView) -> bool:
    """Return whether an expression draws, or reads what was drawn."""
    for node in _outside_layers(value, file):
        if isinstance(node, ast.Name) and node.id in drawn:
            return True
        if isinstance(node, ast.Call) and _is_draw(node, file):
            return True
    return False


def _bound_names(target: ast.expr) -> Iterator[str]:
    """Yield the names that a target binds, or whose object it writes into."""
    names = (node for node in scan(target, {ast.Name}) if isinstance(node, ast.Name))
    written = (dotted(part.value).split(".")[0] for part in _written(target))
    yield from (name.id for name in names if isinstance(name.ctx, ast.Store))
    yield from written


def _written(target: ast.expr) -> list[ast.Attribute | ast.Subscript]:
    found = scan(target, {ast.Attribute, ast.Subscript})
    return [node for node in found if isinstance(node, (ast.Attribute, ast.Subscript))]


def is_possible_draw(value: ast.expr, file: FileView) -> bool:
    """Return whether an expression has a call of the name of a draw, or of a function of the file."""
    own = file.once(_module_functions)
    names = (
        terminal_name(call.func) for call in scan(value, {ast.Call}) if isinstance(call, ast.Call)
    )
    return any(name in DRAWING or name in own for name in names)


def _module_functions(file: FileView) -> frozenset[str]:
    return frozenset(s.name for s in file.tree.body if isinstance(s, Function))


def drawn_in_place(use: AttributeUse, file: FileView) -> ast.Call | None:
    """Return the call that draws the values of an attribute in the method that binds it."""
    name = dotted(use.node)
    for call in scan(use.method, {ast.Call}):
        if not isinstance(call, ast.Call) or any(k.arg == "generator" for k in call.keywords):
            continue
        first = dotted(call.args[0]) if call.args else ""
        is_init = _is_random_init(call, file) and first == name
        is_method = terminal_name(call.func) in DRAWING_METHODS and _root(call.func) == name
        if name and (is_init or is_method):
            return call
    return None


def shuffled(use: AttributeUse, file: FileView) -> ast.Call | None:
    """Return the call that shuffles what an attribute is bound to, in the method that binds it."""
    if "shuffle" not in file.source.text:
        return None
    names = {dotted(use.node), dotted(use.value) if use.value is not None else ""} - {""}
    for call in scan(use.method, {ast.Call}):
        if isinstance(call, ast.Call) and call.args and dotted(call.args[0]) in names:
            target = file.resolve(call.func) or ""
            if target in ("random.shuffle", "numpy.random.shuffle"):
                return call
    return None


def _root(function: ast.expr) -> str:
    """Return the object on which a method is called, through `.data`."""
    owner = function.value if isinstance(function, ast.Attribute) else function
    return dotted(owner).removesuffix(".data")


def is_seeded(function: Function) -> bool:
    """Return whether a function seeds the generators before it draws."""
    calls = scan(function, {ast.Call})
    names = {terminal_name(call.func) for call in calls if isinstance(call, ast.Call)}
    return not names.isdisjoint({"manual_seed", "seed", "fork_rng", "RandomState", "default_rng"})


def _is_draw(call: ast.Call, file: FileView) -> bool:
    name = terminal_name(call.func)
    if name not in DRAWING or any(keyword.arg == "generator" for keyword in call.keywords):
        return False
    target = file.resolve(call.func)
    if target is not None:
        return target.startswith(DRAWING_MODULES)
    return name in DRAWING_METHODS


def _is_foreign(call: ast.Call, file: FileView) -> bool:
    """Return whether a call is of another package, whose result need not hold what it is given."""
    target = file.resolve(call.func) or ""
    known = (*DRAWING_MODULES, "numpy.", "builtins.", "math.", "copy.")
    is_own = terminal_name(call.func) in file.once(_module_functions)
    return "." in target and not target.startswith(known) and not is_own


def _calls_outside_layers(value: ast.expr, file: FileView) -> Iterator[ast.Call]:
    """Yield the calls of an expression, outermost first, without what layers and parameters keep."""
    yield from (node for node in _outside_layers(value, file) if isinstance(node, ast.Call))


def _outside_layers(value: ast.expr, file: FileView) -> Iterator[ast.AST]:
    pending: list[ast.AST] = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and (_is_kept(node, file) or _is_foreign(node, file)):
            continue
        yield node
        if not isinstance(node, ast.Lambda):
            pending += ast.iter_child_nodes(node)


def _is_kept(call: ast.Call, file: FileView) -> bool:
    """Return whether a call makes a layer or parameter, or initialises and hands back one."""
    if _is_init(call, file):
        first = call.args[0] if call.args else None
        return isinstance(first, ast.Call) and _is_kept(first, file)
    target = file.resolve(call.func) or ""
    return target.startswith(KEEPING) and not target.startswith("torch.nn.functional.")


def _is_init(call: ast.Call, file: FileView) -> bool:
    return (file.resolve(call.func) or "").startswith("torch.nn.init.")


def _is_random_init(call: ast.Call, file: FileView) -> bool:
    return _is_init(call, file) and terminal_name(call.func) not in CONSTANT_INITS


def _function(call: ast.Call, file: FileView) -> Function | None:
    name = dotted(call.func)
    found = (s for s in file.tree.body if isinstance(s, Function) and s.name == name)
    return next(found, None) if name else None
