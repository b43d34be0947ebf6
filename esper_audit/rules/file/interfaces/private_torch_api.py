"""The rule `private-torch-api`: a private part of PyTorch is imported or called."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from esper_audit.findings.finding import Category, Severity
from esper_audit.rules.rule import Invalid, Options, Rule, Triggers, Valid, Violation
from esper_audit.source.idioms.interfaces.torch_names import TORCH, is_below, root_name, torch_names
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.names import dotted, imported

DOCUMENTED = (
    "torch._assert",  # the torch page, under Utilities
    "torch._check",  # the guides to torch.export and to dynamic shapes, with related checks
    "torch._check_is_size",
    "torch._check_value",
    "torch._dynamo.config",  # the torch.compile troubleshooting guide
    "torch._dynamo.error_on_graph_break",  # the torch.compile programming model
    "torch._dynamo.mark_dynamic",  # the dynamic shapes guide
    "torch._dynamo.maybe_mark_dynamic",
    "torch._dynamo.mark_unbacked",
    "torch._logging",  # a page of its own
    "torch.cuda.memory._dump_snapshot",  # Understanding CUDA Memory Usage
    "torch.cuda.memory._record_memory_history",
    "torch.cuda.memory._snapshot",
    "torch.utils._python_dispatch.TorchDispatchMode",  # the notes on extending PyTorch
)
OPERATORS = "torch.ops"


class PrivateTorchApiOptions(Options, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`allowed`: dotted names that may be used, with everything below them.

    The default holds the names that PyTorch's documentation recommends.
    """

    allowed: tuple[str, ...] = DOCUMENTED


class PrivateTorchApi(Rule):
    """A private part of PyTorch is used.

    What: a name below `torch` with a part that starts with an underscore, imported
    (`from torch.utils._pytree import tree_map`, `import torch._inductor.config`) or reached by
    attributes (`torch._foreach_norm`), also through aliases. Each use is reported once: an import at
    the import statement, not again at uses of the imported name.

    Why: any release may rename it, move it or change its meaning without a deprecation, and often
    without an error.

    Quiet: dunders such as `torch.__version__`; documented names with an underscore (option
    `allowed`); operators below `torch.ops`, which are registered under that name; imports under
    `if TYPE_CHECKING`; private functions and modules of the project itself.

    Tickets: deep dive 3, B3-DRL-13, B7-CR-07, real code
    """

    contract = "public-torch-api"
    category = Category.API_CONTRACT
    severity = Severity.P3
    precision = "39 of 39 findings were correct in context, and each reported name"
    triggers = Triggers(
        nodes=frozenset({"Attribute", "Import", "ImportFrom"}), words=frozenset({"torch"})
    )
    Options = PrivateTorchApiOptions
    options: PrivateTorchApiOptions

    VALID = (
        Valid(
            "public names",
            """
            import torch
            n = torch.linalg.vector_norm(x)
            """,
        ),
        Valid(
            "a dunder",
            """
            import torch
            v = torch.__version__
            d = torch.nn.__dict__
            """,
        ),
        Valid(
            "documented names",
            """
            import torch
            torch._dynamo.mark_dynamic(x, 0)
            """,
        ),
        Valid(
            "imports of documented names",
            """
            from torch import _assert
            import torch._dynamo.config
            from torch._dynamo import mark_dynamic
            """,
        ),
        Valid(
            "names that the project allows",
            """
            import torch
            torch._foreach_norm(g)
            """,
            options={"allowed": ["torch._foreach_norm"]},
        ),
        Valid(
            "an operator",
            """
            import torch
            torch.ops.aten._to_copy.default(x)
            """,
        ),
        Valid(
            "a private name of the project",
            """
            from .hosts import _host
            _host.x
            self._torch._x
            """,
        ),
        Valid(
            "a private name of another package",
            """
            import torchtune
            torchtune._helper()
            """,
        ),
        Valid(
            "a local variable called torch",
            """
            def f(torch):
                return torch._x
            """,
        ),
        Valid(
            "an import under TYPE_CHECKING",
            """
            import typing
            if typing.TYPE_CHECKING:
                from torch._C import Node
                import torch._C
            """,
        ),
        Valid(
            "an import of a module with a documented name",
            """
            import torch
            import torch._dynamo
            torch._dynamo.config.cache_size_limit = 8
            """,
        ),
    )
    INVALID = (
        Invalid(
            "a private function",
            """
            import torch
            norms = torch._foreach_norm(gradients)
            """,
            ((2, "torch._foreach_norm is private to PyTorch"),),
        ),
        Invalid(
            "aliases",
            """
            import torch as th
            from torch import nn
            import torch.nn.functional as F
            mul = th._foreach_mul
            ok = isinstance(m, nn.modules.batchnorm._BatchNorm)
            F._verify_batch_size(size)
            """,
            (
                (4, "torch._foreach_mul is private to PyTorch"),
                (5, "torch.nn.modules.batchnorm._BatchNorm is private to PyTorch"),
                (6, "torch.nn.functional._verify_batch_size is private to PyTorch"),
            ),
        ),
        Invalid(
            "an import, reported once and not at its uses",
            """
            from torch.utils._pytree import tree_map, tree_flatten
            tree_map(f, x)
            from torch.utils import _pytree as pytree
            pytree.tree_map(f, x)
            pytree._private(x)
            """,
            (
                (1, "torch.utils._pytree.tree_map is private to PyTorch"),
                (1, "torch.utils._pytree.tree_flatten is private to PyTorch"),
                (3, "torch.utils._pytree is private to PyTorch"),
            ),
        ),
        Invalid(
            "a module imported by its dotted name, reported once",
            """
            import torch
            import torch._inductor.config
            torch._inductor.config.max_autotune = True
            """,
            ((2, "torch._inductor.config is private to PyTorch"),),
        ),
        Invalid(
            "a private name beside a documented one",
            """
            import torch
            import torch._dynamo
            busy = torch._dynamo.is_compiling()
            """,
            ((3, "torch._dynamo.is_compiling is private to PyTorch"),),
        ),
        Invalid(
            "a name from a public module",
            """
            def load():
                from torch.nn.modules.module import _IncompatibleKeys
                return _IncompatibleKeys([], [])
            """,
            ((2, "torch.nn.modules.module._IncompatibleKeys is private to PyTorch"),),
        ),
        Invalid(
            "a name that only begins like an allowed one",
            """
            import torch
            torch._dynamo.mark_dynamic_shape(x)
            torch._dynamo.config.cache_size_limit = 1
            """,
            ((2, "torch._dynamo.mark_dynamic_shape is private to PyTorch"),),
        ),
    )

    def prefilter(self, nodes: Sequence[ast.AST]) -> Sequence[ast.AST]:
        """Keep imports and private attributes."""
        return [
            n
            for n in nodes
            if n.__class__ is not ast.Attribute or (n.attr[0] == "_" and n.attr[:2] != "__")
        ]

    def check(self, node: ast.AST, file: FileView) -> Iterator[Violation]:
        """Report private attributes and imports of torch."""
        if isinstance(node, ast.Attribute):
            root = root_name(node.value)
            if root and _is_private(node.attr):
                names = file.once(torch_names)
                if names is None or root in names:
                    yield from self._check_attribute(node, file)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for place, target, binds_torch in _targets(node):
                is_forbidden = self._is_forbidden_import if binds_torch else self._is_forbidden
                if is_forbidden(target) and target not in file.once(_type_checking_imports):
                    yield Violation(place, f"{target} is private to PyTorch")

    def _check_attribute(self, node: ast.Attribute, file: FileView) -> Iterator[Violation]:
        functions, names = file.functions(node), file.source.names
        outer = names.resolve(dotted(node.value), functions)
        if outer is None or not is_below(outer, TORCH) or any(map(_is_private, outer.split("."))):
            return
        chain = _longest_chain(node, file)
        name = names.resolve(dotted(chain), functions)
        first = names.resolve(dotted(node), functions)
        if name is None or not self._is_forbidden(name):
            return
        if not self._is_reported_at_import(first or name, file):
            yield Violation(chain, f"{name} is private to PyTorch")

    def _is_reported_at_import(self, name: str, file: FileView) -> bool:
        """Return whether an import such as `import torch._inductor.config` is reported itself."""
        names = (alias.name for node in file.nodes(ast.Import) for alias in node.names)
        return any(is_below(n, name) and self._is_forbidden_import(n) for n in names)

    def _is_forbidden_import(self, module: str) -> bool:
        """Return whether a module is private and contains no allowed name."""
        has_allowed_part = any(is_below(allowed, module) for allowed in self.options.allowed)
        return self._is_forbidden(module) and not has_allowed_part

    def _is_forbidden(self, name: str) -> bool:
        parts = name.split(".")
        if parts[0] != "torch" or not any(map(_is_private, parts)) or is_below(name, OPERATORS):
            return False
        return not any(is_below(name, allowed) for allowed in self.options.allowed)


def _is_private(part: str) -> bool:
    return part.startswith("_") and not part.startswith("__")


def _longest_chain(node: ast.Attribute, file: FileView) -> ast.Attribute:
    """Return the longest attribute chain that contains a node."""
    above = file.parent(node)
    while isinstance(above, ast.Attribute):
        node, above = above, file.parent(above)
    return node


def _targets(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[ast.AST, str, bool]]:
    """Yield the node and full dotted name of each import, and whether it only binds `torch`."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias, alias.name, alias.asname is None
    elif node.module is not None and not node.level:
        for alias in node.names:
            if alias.name == "*":
                yield node, node.module, False
            else:
                yield alias, f"{node.module}.{alias.name}", False


def _type_checking_imports(file: FileView) -> frozenset[str]:
    """Return the names that a file imports under `if TYPE_CHECKING`."""
    blocks = (n.body for n in file.nodes(ast.If) if dotted(n.test).endswith("TYPE_CHECKING"))
    return frozenset(name for block in blocks for part in block for name in _names(part))


def _names(statement: ast.stmt) -> list[str]:
    """Return the full dotted names that a statement imports."""
    if isinstance(statement, ast.Import):
        return [alias.name for alias in statement.names]
    if isinstance(statement, ast.ImportFrom):
        return [target for _, target in imported(statement)]
    return []
