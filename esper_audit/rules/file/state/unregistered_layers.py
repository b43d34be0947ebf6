"""The rule `unregistered-layers`: layers or parameters that their module does not register."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.project.file_roles import OUTSIDE_TESTS
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.attribute_use import assigned_attribute
from esper_audit.source.idioms.classes.file_classes import ClassFamily, class_table
from esper_audit.source.idioms.state.plain_layers import (
    elements,
    is_handling,
    is_layer,
    is_only_visited,
    is_parameter,
    put_elements,
    uses_of,
)
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted

DICTS = (ast.Dict, ast.DictComp)
COPYING = frozenset(
    {"to", "cuda", "half", "double", "bfloat16", "type", "clone", "view", "reshape", "unsqueeze"}
    | {"repeat", "expand", "transpose", "mul", "div"}
)
PLAIN = (
    "the layers of `{}` are in a plain {}, so `parameters()`, `state_dict()` and `to()` of the module "
    "miss them. Use `{}`."
)
COPY = (
    "`{}` is no parameter but a tensor computed from one, so `parameters()` and `state_dict()` of the "
    "module miss it. Compute the value inside `nn.Parameter(...)`."
)


class UnregisteredLayers(Rule):
    """Layers or parameters of a module are missing from its parameters.

    What: an attribute of an `nn.Module` that the constructor binds to a plain list, tuple or dict of new
    layers or parameters, or fills with them, and that another method reads; and an attribute that is
    computed from a new parameter (`nn.Parameter(x).to(device)`, `nn.Parameter(x) * 0.02`).

    Why: a module registers what is assigned to an attribute itself. What is in a list, and the result of
    an operation, the optimizer never gets, `to()` leaves on its device and `state_dict()` omits.

    Quiet: `nn.ModuleList` and the like; a list that the constructor reads otherwise than by its size or
    by a loop that does not touch the object (it registers, or builds an `nn.Sequential`); a list that a
    function reads which names `parameters`, `state_dict`, `eval` or `requires_grad`; lists of one
    element, which keep a module out on purpose; classes that set attributes by computed names; layers
    without parameters; a parameter that is frozen or bound twice.

    Tickets: real code
    """

    contract = "checkpoint"
    category = Category.CORRECTNESS
    severity = Severity.P1
    roles = OUTSIDE_TESTS
    precision = (
        "6 of 7 by a reader in packages it was not written on (neuromancer, xuance, openhgnn, modelscope); "
        "11 of 12 in all 200"
    )
    triggers = Triggers(
        nodes=frozenset({"Assign", "AnnAssign"}),
        collected=frozenset({"ClassDef"}),
        words=frozenset({"torch"}),
    )

    VALID = (
        Valid(
            "registered by another way, hidden on purpose, without parameters",
            """
            import torch
            from torch import nn
            class Net(nn.Module):
                def __init__(self, n, teacher):
                    super().__init__()
                    self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(n)])
                    self.blocks = [nn.Linear(4, 4) for _ in range(n)]
                    self.body = nn.Sequential(*self.blocks)
                    self.named = [nn.Linear(4, 4) for _ in range(n)]
                    for i, layer in enumerate(self.named):
                        self.add_module(f"layer{i}", layer)
                    self.teacher = [nn.Linear(4, 4)]
                    self.acts = [nn.ReLU() for _ in range(n)]
                    self.norms = [nn.BatchNorm2d(4, affine=False) for _ in range(n)]
                    self.heads = []
                    self.heads.append(nn.Linear(4, 4))
                    self.heads = nn.ModuleList(self.heads)
                    self.experts = [nn.Linear(4, 4) for _ in range(n)]
                    self.first = nn.Linear(4, 4)
                    self.order = [self.first, self.first]
                def parameters(self):
                    return [p for e in self.experts for p in e.parameters()]
                def forward(self, x):
                    for layer in [*self.blocks, *self.acts, *self.named, *self.heads, *self.order]:
                        x = layer(x)
                    return self.teacher[0](self.norms[0](self.experts[0](x)))
            """,
        ),
        Valid(
            "a parameter that is frozen, bound again, or made of the copy",
            """
            import torch
            from torch import nn
            class Net(nn.Module):
                def __init__(self, device):
                    super().__init__()
                    self.a = nn.Parameter(torch.zeros(3).to(device))
                    self.b = nn.Parameter(torch.zeros(3), requires_grad=False).to(device)
                    self.c = nn.Parameter(torch.zeros(3)).to(device)
                    self.c = nn.Parameter(self.c)
                    self.d = nn.Parameter(torch.zeros(3)).detach()
                    self.e = nn.Linear(3, 3).to(device)
                def forward(self, x):
                    return x + self.a + self.b + self.c + self.d
            class Holder:
                def __init__(self):
                    self.layers = [nn.Linear(4, 4) for _ in range(3)]
                    self.scale = nn.Parameter(torch.zeros(3)).to("cuda")
                def run(self, x):
                    return self.layers[0](x) * self.scale
            """,
        ),
        Valid(
            "a list that no other method reads, and one that a caller in the file moves",
            """
            from torch import nn
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.record = [nn.Linear(4, 4), nn.Linear(4, 4)]
                    self.heads = [nn.Linear(4, 4), nn.Linear(4, 4)]
                def forward(self, x):
                    return self.heads[0](x)
            def build(optimizer):
                net = Net()
                optimizer.add_param_group({"params": [p for h in net.heads for p in h.parameters()]})
                return net
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a comprehension, a list that is filled, a dict, a file's own layer",
            """
            import torch
            import torch.nn as nn
            class Block(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.proj = nn.Linear(4, 4)
                def forward(self, x):
                    return self.proj(x)
            class Net(nn.Module):
                def __init__(self, n):
                    super().__init__()
                    self.embedders = [torch.nn.Embedding(n, 4) for _ in range(n)]
                    for embedder in self.embedders:
                        nn.init.zeros_(embedder.weight)
                    self.projections = []
                    for i in range(n):
                        if i:
                            self.projections.append(nn.Conv2d(4, 4, 1))
                        else:
                            self.projections.append(nn.Sequential())
                    self.heads = {"a": nn.Linear(4, 1), "b": nn.Linear(4, 2)}
                    self.blocks: list[Block] = []
                    self._build(n)
                def _build(self, n):
                    self.blocks.extend([Block() for _ in range(n)])
                def forward(self, x, task):
                    x = torch.cat([e(x) for e in self.embedders])
                    for projection, block in zip(self.projections, self.blocks):
                        x = block(projection(x))
                    return self.heads[task](x)
            """,
            (
                (12, PLAIN.format("self.embedders", "list", "nn.ModuleList")),
                (15, PLAIN.format("self.projections", "list", "nn.ModuleList")),
                (21, PLAIN.format("self.heads", "dict", "nn.ModuleDict")),
                (22, PLAIN.format("self.blocks", "list", "nn.ModuleList")),
            ),
        ),
        Invalid(
            "an attribute computed from a parameter, and a list of parameters",
            """
            import torch
            from torch import nn
            class Policy(nn.Module):
                def __init__(self, size, device):
                    super().__init__()
                    self.sigma = nn.Parameter(torch.zeros(size)).to(device)
                    self.scale = 0.02 * nn.Parameter(torch.randn(size))
                    self.shifts = tuple(nn.Parameter(torch.zeros(size)) for _ in range(3))
                def forward(self, x):
                    return self.scale * x + self.sigma + self.shifts[0]
            """,
            (
                (6, COPY.format("self.sigma")),
                (7, COPY.format("self.scale")),
                (8, PLAIN.format("self.shifts", "list", "nn.ParameterList")),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep assignments to an attribute of one name."""
        return [node for node in nodes if assigned_attribute(node) is not None]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report an attribute at the place where the constructor binds it."""
        target = assigned_attribute(node)
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if target is None or value is None:
            return
        held = elements(value)
        is_copy = held is None and _is_copied_parameter(value, file)
        if held is None and not is_copy:
            return
        functions = file.functions(target)
        table = file.once(class_table)
        owner = table.owner(functions[-1]) if functions else None
        if owner is None or not table.is_module(owner):
            return
        family = table.family(owner)
        is_bound_once = all(
            len(table.family(each).bindings(target.attr)) == 1
            for each in (owner, *table.subclasses(owner))
        )
        if not is_bound_once or family.is_dynamic:
            return
        if functions[-1] not in family.reached_from("__init__"):
            return
        name = dotted(target)
        if is_copy:
            yield Violation(target, COPY.format(name))
        elif held is not None:
            layers = _all_elements(target.attr, held, family, file)
            if any(is_layer(each, file) for each in layers):
                kind = "dict" if isinstance(value, DICTS) else "list"
                is_parameters = any(is_parameter(each, file) for each in layers)
                prefix = "nn.Parameter" if is_parameters else "nn.Module"
                yield Violation(target, PLAIN.format(name, kind, f"{prefix}{kind.title()}"))


def _all_elements(
    name: str, held: list[ast.expr], family: ClassFamily, file: FileView
) -> list[ast.expr]:
    """Return what an attribute holds, empty if a function may register it or none but the builder reads it."""
    built = family.reached_from("__init__")
    found, is_read = list(held), False
    for use in uses_of(name, family, file):
        functions = file.functions(use)
        put = put_elements(use, file)
        if functions and functions[-1] in built:
            if put is None and not is_only_visited(use, file):
                return []
            found += put or []
        elif not functions or is_handling(functions[-1]):
            return []
        else:
            is_read = True
    return found if is_read else []


def _is_copied_parameter(value: ast.expr, file: FileView) -> bool:
    """Return whether a value is the result of an operation on a new parameter that can train."""
    if isinstance(value, ast.BinOp):
        return is_parameter(value.left, file) or is_parameter(value.right, file)
    function = value.func if isinstance(value, ast.Call) else None
    if not isinstance(function, ast.Attribute) or function.attr not in COPYING:
        return False
    return is_parameter(function.value, file)
