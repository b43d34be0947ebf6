"""The rule `instantiated-never-used`: an object that is made, and then nothing asks it anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from esper_audit.findings.finding import Category, NotAnalysed, Severity, TreeViolation
from esper_audit.project.file_roles import Role
from esper_audit.rules.tree_rule import InvalidTree, TreeRule, ValidTree
from esper_audit.source.facts.module_facts import ModuleFacts
from esper_audit.source.facts.records import Use
from esper_audit.source.index.records import Symbol
from esper_audit.source.index.values import Value, parts
from esper_audit.source.syntax.ast_walk import walk
from esper_audit.source.usage.constructor_effects import ConstructorEffects
from esper_audit.source.usage.instantiations import Instantiation, instantiations
from esper_audit.source.usage.reflective_access import HARMLESS_BASES
from esper_audit.source.usage.tree import Tree

# What reads every attribute, or every part of a module, without naming one.
WHOLE = re.compile(
    r"\b(vars\(self|__getstate__|__reduce__|__getattr__|__getattribute__|__getitem__"
    r"|self\.(__dict__|_modules|_parameters|children|named_children|get_submodule))\b"
    r"|getattr\(self, [^'\"]"
)
PROSE = re.compile(r"#.*|\"\"\"(?:.|\n)*?\"\"\"")
SAID = re.compile(
    r"unused|not used|never (?:used|read)|no longer|(?<!gradient )(?<!activation )checkpoint(?!ing)|\bckpt"
    r"|state.?dict|pretrained weights|placeholder",
    re.IGNORECASE,
)
CONTAINERS = frozenset({"ModuleList", "ModuleDict", "ParameterList", "ParameterDict"})
LOOKS_AT_LOCALS = frozenset({"locals", "exec", "eval", "globals"})

IMPORT = "from torch import nn\n\n\n"
BLOCK = (
    f"{IMPORT}class Block(nn.Module):\n    def __init__(self, width, norm=nn.LayerNorm):\n"
    "        super().__init__()\n        self.project = nn.Linear(width, width)\n"
    "        self.norm = nn.LayerNorm(width)\n\n"
)
FORWARD = "    def forward(self, x):\n        return self.project(x)\n"
SPEAKS = "`self.norm` of `Block` is made (`LayerNorm`) and never read"
METER = "class Meter:\n    def __init__(self, size):\n        self.size = size\n\n\n"
RUN = "def run(xs):\n    meter = Meter(3)\n    return sum(xs)\n"


class InstantiatedNeverUsed(TreeRule):
    """An object is made and never used.

    What: a function makes an object of a known class and binds it to a local variable or to an attribute
    of `self` that nothing reads, or to nothing at all; for a module that holds modules also what a
    function or a factory parameter (`norm=nn.LayerNorm`) gives it.

    Why: it does not do what whoever made it believes that it does: a loss is not added, a norm is not
    applied. A layer that `forward` leaves out still has parameters: the optimiser is given them, the
    checkpoint holds them, and `DistributedDataParallel` waits for their gradients.

    Quiet: a read of the attribute by its class, a base or a subclass, by whoever holds such an object,
    or by an object of unknown make; strings in the same file and names put together that may mean it;
    classes that look at their parts as a whole (`children`, `__dict__`, `getattr(self, name)`), or with a
    base outside the tree that may; `nn.ModuleList` and its kin, which register what others hold; public
    attributes of a library's classes, but for modules in modules; constructors that do anything besides
    filling their object (give it away, register hooks, call what is not known), that may raise where
    the object itself is thrown away, or that stand in a `try` or `with`; a class whose
    comments or docstring tell of checkpoints to fit, of parts that are unused, of earlier versions, or hold
    the code that used it.

    Tickets: real code
    """

    contract = "no-dead-code"
    category = Category.DEAD_CODE
    severity = Severity.P3
    precision = "59 of 60 read were right (transformers, TTS, espnet, diffusers and 15 more); none in 20 others"

    VALID = (
        ValidTree(
            "used in forward",
            {"a.py": BLOCK + FORWARD.replace("self.project(x)", "self.norm(self.project(x))")},
        ),
        ValidTree(
            "used by a subclass",
            {
                "a.py": BLOCK + FORWARD + "\n\nclass Other(Block):\n    def forward(self, x):\n"
                "        return self.norm(x)\n"
            },
        ),
        ValidTree(
            "used by whoever holds it",
            {"a.py": BLOCK + FORWARD, "b.py": "from a import Block\n\n\ndef f(b: Block):\n    return b.norm\n"},
        ),
        ValidTree(
            "an object of unknown make has such an attribute",
            {"a.py": BLOCK + FORWARD, "b.py": "def f(model):\n    return model.norm\n"},
        ),
        ValidTree("asked for by name", {"a.py": BLOCK + FORWARD + "\n\nNORMS = ['norm']\n"}),
        ValidTree(
            "a name put together",
            {"a.py": BLOCK + FORWARD, "b.py": "def f(m, kind):\n    return getattr(m, f'nor{kind}')\n"},
        ),
        ValidTree(
            "all its parts run in a row",
            {"a.py": BLOCK.replace("nn.Module)", "nn.Sequential)")},
        ),
        ValidTree(
            "its parts are asked for as a whole",
            {"a.py": BLOCK + "    def forward(self, x):\n        return [m(x) for m in self.children()]\n"},
        ),
        ValidTree(
            "kept so that weights fit",
            {"a.py": BLOCK.replace("(width)\n\n", "(width)  # the checkpoint has it\n\n") + FORWARD},
        ),
        ValidTree(
            "a list that registers what another holds",
            {"a.py": BLOCK.replace("nn.LayerNorm(width)\n\n", "nn.ModuleList(width)\n\n") + FORWARD},
        ),
        ValidTree("a local object that is used", {"a.py": METER + RUN.replace("sum(xs)", "meter.size")}),
        ValidTree(
            "a constructor that tells somebody of it",
            {"a.py": METER.replace("self.size = size", "ALL.append(self)") + RUN},
        ),
        ValidTree(
            "a constructor that calls what is not known",
            {"a.py": METER.replace("= size", "= connect(size)") + RUN},
        ),
        ValidTree(
            "a constructor that changes what it is given",
            {"a.py": METER.replace("self.size = size", "size.seen = True") + RUN},
        ),
        ValidTree(
            "made to have its arguments checked",
            {"a.py": METER.replace("self.size = size", "assert size") + RUN},
        ),
        ValidTree(
            "made to see whether that works",
            {
                "a.py": f"{METER}def run(x):\n    try:\n        Meter(x)\n    except ValueError:\n"
                "        return False\n    return True\n"
            },
        ),
        ValidTree(
            "a finaliser",
            {"a.py": METER.replace("\n\n\n", "\n\n    def __del__(self):\n        stop()\n\n\n") + RUN},
        ),
        ValidTree(
            "read by a function inside",
            {"a.py": f"{METER}def run():\n    meter = Meter(3)\n    return lambda: meter\n"},
        ),
        ValidTree(
            "a public attribute of a library's class",
            {"a.py": f"{METER}class Run:\n    def __init__(self):\n        self.meter = Meter(3)\n"},
        ),
        ValidTree(
            "a hook is kept, not a module",
            {"a.py": BLOCK.replace("nn.LayerNorm(width)\n\n", "watch(width)\n\n") + FORWARD},
        ),
        ValidTree(
            "a wrapper that takes hold of what it is given",
            {"a.py": f"{IMPORT}def wrap(model):\n    nn.parallel.DistributedDataParallel(model)\n    return model\n"},
        ),
        ValidTree(
            "a class of a function that is called as one of the module",
            {
                "a.py": BLOCK + FORWARD.replace("self.project(x)", "self.norm(self.project(x))")
                + "\n\ndef make():\n    class Block(nn.Module):\n        def __init__(self):\n"
                "            self.last = nn.LayerNorm(2)\n\n        def forward(self, x):\n"
                "            return self.last(x)\n\n    return Block()\n"
            },
        ),
        ValidTree("a name that says so", {"a.py": METER + RUN.replace("meter =", "_meter =")}),
        ValidTree("all locals", {"a.py": METER + RUN.replace("sum(xs)", "locals()")}),
        ValidTree(
            "a global",
            {"a.py": METER + RUN.replace("    meter", "    global meter\n    meter")},
        ),
        ValidTree(
            "a loss that users of a library may ask for",
            {"a.py": f"{IMPORT}class Trainer:\n    def __init__(self):\n        self.loss = nn.MSELoss()\n"},
        ),
        ValidTree(
            "its use is commented out",
            {"a.py": BLOCK + FORWARD.replace("return", "# x = self.norm(x)\n        return")},
        ),
        ValidTree(
            "in code that is put together",
            {"a.py": BLOCK + FORWARD.replace("return", "part = eval(f'self.nor{x.kind}')\n        return")},
        ),
        ValidTree(
            "there for earlier versions",
            {"a.py": BLOCK.replace("(width)\n\n", "(width)  # deprecated\n\n") + FORWARD},
        ),
        ValidTree(
            "a function that may give something else",
            {
                "a.py": BLOCK.replace("nn.LayerNorm(width)\n\n", "make(width)\n\n") + FORWARD
                + "\n\ndef make(kind):\n    return nn.Linear(2, 2) if kind else kind.part\n"
            },
        ),
    )  # fmt: skip
    INVALID = (
        InvalidTree("forward leaves it out", {"a.py": BLOCK + FORWARD}, (("a.py", 8, SPEAKS),)),
        InvalidTree(
            "another class has one of that name",
            {
                "a.py": BLOCK + FORWARD,
                "b.py": f"{IMPORT}class Other(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
                "        self.norm = nn.Identity()\n\n    def forward(self, x):\n        return self.norm(x)\n",
            },
            (("a.py", 8, SPEAKS),),
        ),
        InvalidTree(
            "another object is asked for its parts",
            {"a.py": BLOCK + FORWARD.replace("return", "self.project.children()\n        return")},
            (("a.py", 8, SPEAKS),),
        ),
        InvalidTree(
            "a string of another file",
            {"a.py": BLOCK + FORWARD, "b.py": "NORMS = ['norm']\n"},
            (("a.py", 8, SPEAKS),),
        ),
        InvalidTree(
            "of one class or another, or of a factory",
            {
                "a.py": BLOCK.replace("= nn.LayerNorm(", "= norm(")
                + "        self.drop = nn.Dropout(0.1) if width else nn.Identity()\n"
                + FORWARD
            },
            (
                ("a.py", 8, "`self.norm` of `Block` is set to a module and never read"),
                ("a.py", 10, "`self.drop` of `Block` is made (`Dropout` or `Identity`) and never read"),
            ),
        ),
        InvalidTree(
            "made on both sides of a question, told once",
            {
                "a.py": BLOCK.replace(
                    "        self.norm = nn.LayerNorm(width)\n",
                    "        if width:\n            self.norm = nn.LayerNorm(width)\n        else:\n"
                    "            self.norm = nn.LayerNorm(2)\n",
                )
                + FORWARD
            },
            (("a.py", 9, SPEAKS),),
        ),
        InvalidTree(
            "a loss that is not added",
            {
                "a.py": f"{IMPORT}def step(model, x):\n    loss = nn.CrossEntropyLoss()\n    return model(x)\n"
            },
            (("a.py", 5, "`loss` is made (`CrossEntropyLoss`) and never read"),),
        ),
        InvalidTree(
            "an object of the tree's own class",
            {"a.py": METER + RUN},
            (("a.py", 7, "`meter` is made (`Meter`) and never read"),),
        ),
        InvalidTree(
            "thrown away",
            {"a.py": METER + RUN.replace("meter = ", "")},
            (("a.py", 7, "`Meter` is made and thrown away"),),
        ),
        InvalidTree(
            "a private attribute",
            {"a.py": f"{METER}class Run:\n    def __init__(self):\n        self._meter = Meter(3)\n"},
            (("a.py", 8, "`self._meter` of `Run` is made (`Meter`) and never read"),),
        ),
    )  # fmt: skip

    def check(self, tree: Tree) -> Iterator[TreeViolation | NotAnalysed]:
        """Report what is made and not used, file by file."""
        constructors = ConstructorEffects(tree)
        for unit in tree.index.modules():
            made = instantiations(tree, unit) if unit.role is Role.PRODUCTION else ()
            told: set[tuple[str, str]] = set()
            for making in made:
                attribute = (making.around.owner, making.attribute)
                if making.attribute and attribute not in told:
                    told.add(attribute)
                    yield from _forgotten(tree, constructors, unit, making)
                elif not making.attribute and _is_idle(constructors, making):
                    yield _idle(tree, unit, making)


def _forgotten(
    tree: Tree, constructors: ConstructorEffects, unit: ModuleFacts, making: Instantiation
) -> Iterator[TreeViolation | NotAnalysed]:
    """Report an attribute that holds something for nobody."""
    owner = tree.index.symbol(unit.path, making.around.owner) if making.around.owner else None
    if owner is None or not _is_for_the_tree_alone(tree, constructors, owner, making):
        return
    family = tree.index.resolver.hierarchy.family(owner.key)
    if _is_looked_at(tree, family, making.attribute) or _is_said(tree, owner, making):
        return
    answer = tree.index.readers(making.attribute)
    if answer.is_complete:
        message = f"`{making.bound}` of `{owner.short}` is {_made(making)} and never read"
        yield tree.at_node(unit.path, making.place, message, subject=owner.symbol)
    else:
        yield tree.undecided(owner, answer)


def _is_for_the_tree_alone(
    tree: Tree, constructors: ConstructorEffects, owner: Symbol, making: Instantiation
) -> bool:
    """Return whether nobody outside may ask for an attribute: a part of a module serves its `forward`."""
    if tree.index.resolver.hierarchy.foreign_bases(owner.key) - HARMLESS_BASES:
        return False
    if any(value.name.rpartition(".")[2] in CONTAINERS for value in making.made):
        return False
    if all(map(constructors.is_module, making.made)):
        return constructors.is_module(Value("class", owner.key))
    if not making.is_new or not all(map(constructors.is_effect_free, making.made)):
        return False
    return making.attribute.startswith("_") or not tree.external_callers.is_public_api(owner)


def _is_looked_at(tree: Tree, family: list[str], name: str) -> bool:
    """Return whether something reads an attribute of a class, of a base or of a subclass of it."""
    paths = {parts(key)[0] for key in family}
    for key in family:
        for hit in tree.reference_table.of_key(f"{key}.{name}"):
            is_elsewhere = hit.use is Use.STRING and hit.module.path not in paths
            if hit.use is not Use.WRITE and not is_elsewhere:
                return True
    if tree.dynamic_names.may_mean(name):
        return True
    return any(WHOLE.search(tree.text(tree.index.of_key(key))) for key in family)


def _idle(tree: Tree, unit: ModuleFacts, making: Instantiation) -> TreeViolation:
    subject = unit.symbol(unit.innermost(making.statement.lineno))
    if making.bound:
        message = f"`{making.bound}` is {_made(making)} and never read"
    else:
        message = f"{_classes(making)} is made and thrown away"
    return tree.at_node(unit.path, making.place, message, subject=subject)


def _is_idle(constructors: ConstructorEffects, making: Instantiation) -> bool:
    """Return whether a local variable, or nothing at all, holds an object that does nothing by itself."""
    if not making.is_new or making.around.is_watched or making.bound.startswith("_"):
        return False
    if not all(map(constructors.is_effect_free, making.made)):
        return False
    return not any(map(constructors.may_raise, making.made)) and not _is_read(making)


def _is_read(making: Instantiation) -> bool:
    """Return whether the function reads the local variable, or may."""
    function = making.around.function
    for node in walk(function) if function is not None and making.bound else ():
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in {making.bound, *LOOKS_AT_LOCALS}:
                return True
        elif isinstance(node, (ast.Global, ast.Nonlocal)) and making.bound in node.names:
            return True
    return False


def _is_said(tree: Tree, owner: Symbol, making: Instantiation) -> bool:
    """Return whether words tell why a part is there, or a comment holds the code that used it."""
    told = " ".join(PROSE.findall(tree.text(owner)))
    if re.search(rf"{re.escape(making.bound)}\b", told):
        return True
    return SAID.search(told) is not None or tree.external_callers.is_kept_for_compatibility(told)


def _made(making: Instantiation) -> str:
    return f"made ({_classes(making)})" if making.is_new else "set to a module"


def _classes(making: Instantiation) -> str:
    names = sorted({re.split(r"[.:]", value.name)[-1] for value in making.made})
    return " or ".join(f"`{name}`" for name in names)
