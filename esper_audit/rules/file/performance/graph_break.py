"""The rule `graph-break`: a forward pass leaves the compiled graph."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.classes.file_classes import class_table
from esper_audit.source.idioms.performance.graph_breaks import breaks_in, forward_parts
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import Function


class BrokenGraph(Rule):
    """A forward pass leaves the compiled graph.

    What: `.item()`, `.tolist()`, `.numpy()`, `print` or a branch on the value of a tensor
    (`if x.abs().max() > 1`) in the `forward` of a module, or in a method of the object or a function of
    the file that it calls.

    Why: `torch.compile` splits the graph there, and the host waits for the device at each step. With
    `fullgraph=True` it raises.

    Quiet: code under `torch.compiler.is_compiling()`, `torch.jit.is_scripting()` or a debug flag, in a
    raise or an assert, in a function that is excluded from compilation; shapes, sizes and types.

    It is off unless selected: a package that is not compiled accepts the wait.

    Tickets: deep dive 3
    """

    contract = "compile"
    torch_versions = ">=2.0"
    category = Category.TORCH_COMPILE
    severity = Severity.P3
    default = False
    precision = (
        "19 of 19 findings read break the graph (monai, kornia, speechbrain, torchtune, timm); packages "
        "that are not compiled would merge few, so it is off unless selected"
    )
    triggers = Triggers(nodes=frozenset({"FunctionDef"}), words=frozenset({"forward"}))
    VALID = (
        Valid(
            "guards for eager runs and debugging, errors",
            """
            import torch
            from torch import nn


            class Gate(nn.Module):
                def forward(self, x):
                    if not torch.compiler.is_compiling():
                        self.seen = x.mean().item()
                    if self.debug:
                        print(x)
                    if x.shape[0] > 1 and x.size(1) > 2 and len(x) > 3:
                        return x
                    assert x.isnan().any().item() == 0
                    raise ValueError(f"{x.max().item()}")
            """,
        ),
        Valid(
            "another method, and a function that is excluded from compilation",
            """
            import torch
            from torch import nn


            @torch.compiler.disable
            def log(x):
                print(x.tolist())


            class Gate(nn.Module):
                def forward(self, x):
                    log(x)
                    return x

                def report(self, x):
                    return x.item()
            """,
        ),
        Valid(
            "numbers that methods of an argument give",
            """
            from torch import nn

            class Gate(nn.Module):
                def forward(self, x, sizes):
                    n = x.size(1)
                    widest = sizes.get(n, [])
                    return x if n > 3 or len(widest) > 0 else x + 1
            """,
        ),
        Valid(
            "a forward of another class",
            """
            class Loader:
                def forward(self, rows):
                    return rows.tolist()
            """,
        ),
    )
    INVALID = (
        Invalid(
            "reads and prints in a forward",
            """
            from torch import nn


            class Gate(nn.Module):
                def forward(self, x):
                    print(x.shape)
                    scale = x.abs().max().item()
                    return x / scale, x.tolist()
            """,
            (
                (6, "prints in the forward of `Gate`"),
                (7, "reads a tensor by `.item()` in the forward of `Gate`"),
                (8, "reads a tensor by `.tolist()` in the forward of `Gate`"),
            ),
        ),
        Invalid(
            "one call below it, and a branch on a value",
            """
            from torch import nn


            def clip(x):
                if (x > 1).any():
                    return x.clamp(max=1)
                return x


            class Gate(nn.Module):
                def level(self, x):
                    return x.mean().item()

                def balanced(self, weights):
                    load = weights.mean(dim=0)
                    return weights.softmax(-1) if load.max() > 0.9 else weights

                def forward(self, x):
                    x = self.balanced(clip(x))
                    return x * 2 if x.sum() > 0 else x * self.level(x)
            """,
            (
                (5, "branches on the value of a tensor below the forward of `Gate`"),
                (12, "reads a tensor by `.item()` below the forward of `Gate`"),
                (16, "branches on the value of a tensor below the forward of `Gate`"),
                (20, "branches on the value of a tensor in the forward of `Gate`"),
            ),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep functions called forward."""
        return [n for n in nodes if isinstance(n, Function) and n.name == "forward"]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report the graph breaks of a module's forward and of what it calls."""
        if not isinstance(node, Function) or node.name != "forward":
            return
        table = file.once(class_table)
        definition = table.owner(node)
        if definition is None or not table.is_module(definition):
            return
        for function in forward_parts(node, definition, file):
            where = "in" if function is node else "below"
            for place, reason in breaks_in(function, file):
                yield Violation(place, f"{reason} {where} the forward of `{definition.name}`")
