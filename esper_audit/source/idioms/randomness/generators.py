"""Random generators that are made with a seed which is written in the file."""

from __future__ import annotations

import ast

from esper_audit.source.idioms.local_flow.constructors import Constructors
from esper_audit.source.syntax.ast_walk import scan
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, parameters, terminal_name, text_of

TORCH_GENERATORS = frozenset({"torch.Generator", "torch._C.Generator"})
SEEDED_GENERATORS = frozenset(
    {
        "numpy.random.default_rng",
        "numpy.random.RandomState",
        "random.Random",
        "numpy.random.Generator",
    }
)
SAMPLERS = frozenset({"RandomSampler", "WeightedRandomSampler", "SubsetRandomSampler"})
LOADING = "torch.utils.data."


def constant_seeding(call: ast.Call, file: FileView) -> bool:
    """Return whether a call seeds a generator with a number, or makes one that is seeded so."""
    if not call.args or not is_constant_seed(call.args[0], file):
        return False
    if file.resolve(call.func) in SEEDED_GENERATORS:
        return True
    if terminal_name(call.func) != "manual_seed" or not isinstance(call.func, ast.Attribute):
        return False
    made = file.once(Constructors).made_by(call.func.value)
    return any(file.resolve(maker.func) in TORCH_GENERATORS for maker in made)


def seeded_name(call: ast.Call, file: FileView) -> str:
    """Return the text of the name that holds the generator which a call seeds, empty if it has none."""
    statement = file.enclosing(call)[-1]
    if isinstance(statement, ast.Assign) and statement.value is call:
        return text_of(statement.targets[0])
    if isinstance(call.func, ast.Attribute) and isinstance(
        call.func.value, (ast.Name, ast.Attribute)
    ):
        return text_of(call.func.value)
    return ""


def is_constant_seed(seed: ast.expr, file: FileView) -> bool:
    """Return whether a seed is a number that is written in the file."""
    if isinstance(seed, ast.Constant):
        return isinstance(seed.value, int) and not isinstance(seed.value, bool)
    if isinstance(seed, ast.BinOp):
        return is_constant_seed(seed.left, file) and is_constant_seed(seed.right, file)
    name = dotted(seed)
    own = {p.arg for function in file.functions(seed) for p in parameters(function.args)}
    if not name or name in own:
        return False
    values = file.once(Constructors).values(seed)
    return (
        len(values) == 1
        and isinstance(values[0], ast.Constant)
        and is_constant_seed(values[0], file)
    )


def shuffler_of(seeding: ast.Call, file: FileView) -> ast.Call | None:
    """Return the sampler or shuffling loader that the function around a seeding gives the generator.

    An attribute may go there in any method of the class.
    """
    seeded = seeded_name(seeding, file)
    classes = [d for d in file.definitions(seeding) if isinstance(d, ast.ClassDef)]
    is_kept = seeded.startswith("self.") and bool(classes)
    for call in scan(classes[-1] if is_kept else file.functions(seeding)[-1], {ast.Call}):
        assert isinstance(call, ast.Call)
        given = {k.arg: k.value for k in call.keywords if k.arg is not None}
        generator = given.get("generator")
        if generator is None or (generator is not seeding and text_of(generator) != seeded):
            continue
        if _is_shuffling(call, given, file):
            return call
    return None


def _is_shuffling(call: ast.Call, given: dict[str, ast.expr], file: FileView) -> bool:
    """Return whether a call makes a sampler that draws, or a loader that may shuffle."""
    name = file.resolve(call.func) or ""
    if not name.startswith(LOADING):
        return False
    shuffle = given.get("shuffle")
    is_asked = isinstance(shuffle, ast.expr) and text_of(shuffle) != "False"
    last = name.rpartition(".")[2]
    return last in SAMPLERS or (last == "DataLoader" and is_asked)
