"""The names that an argument may reach cover every write that a flow finds."""

from __future__ import annotations

import ast

from support.real_source import library_modules, own_modules

from esper_audit.source.idioms.aliasing.argument_flows import argument_flows
from esper_audit.source.idioms.aliasing.tensor_parameters import possible_tensors
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.source import Source, parse

PIECES = """
def f(a, b, c, n=0, *more):
    x = a.view(-1).T
    for i, (y, z) in enumerate(zip(b, [c])):
        y[0] = 1
        (w := z).add_(1)
    x += 1
    u, *v = (c if n else b), x
    v[0] = 2
    torch.relu(a, out=u)
    F.relu(b, inplace=True)
    helper(c)
    self_like = b or a
    self_like.data[0] = n
    return x


def helper(t):
    t.requires_grad_().zero_()
    return t
"""


def uncovered(source: Source) -> tuple[int, list[str]]:
    """Return the number of writes that flows find, and those that `may_write` does not cover."""
    file = FileView(source)
    flows = file.once(argument_flows)
    found: list[str] = []
    count = 0
    for function in [*file.nodes(ast.FunctionDef), *file.nodes(ast.AsyncFunctionDef)]:
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        possible = set(possible_tensors(function))
        for write in flows.flow(function).writes:
            if write.parameter in possible:
                count += 1
                if not flows.may_write(write.node, function):
                    found.append(f"{source.path}:{write.node.lineno}: {ast.unparse(write.node)}")
    return count, found


def test_every_write_of_a_flow_is_a_possible_write() -> None:
    source = parse("pieces.py", PIECES.encode())
    assert isinstance(source, Source)
    assert uncovered(source) == (10, [])


def test_every_write_of_a_flow_in_real_files_is_a_possible_write() -> None:
    writes = 0
    for file in [*own_modules()[::4], *library_modules(30)]:
        source = parse(file.name, file.read_bytes())
        assert isinstance(source, Source)
        count, found = uncovered(source)
        assert found == []
        writes += count
    assert writes > 30


def test_a_counter_is_no_possible_write() -> None:
    source = parse(
        "a.py", b"def f(a, b: int):\n    n = len(a)\n    n += 1\n    b += 1\n    return n\n"
    )
    assert isinstance(source, Source)
    file = FileView(source)
    (function,) = file.nodes(ast.FunctionDef)
    steps = file.nodes(ast.AugAssign)
    assert isinstance(function, ast.FunctionDef)
    assert [file.once(argument_flows).may_write(step, function) for step in steps] == [False, False]
