"""The values that reach a use: branches, loops, updates, unpacked tuples."""

from __future__ import annotations

import ast
import textwrap

from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.local_values import FunctionValues
from esper_audit.source.syntax.source import Source, parse


def reaching(body: str, name: str = "x") -> list[str]:
    """Return the code of what reaches `name` in the call `use(x)` of a function."""
    code = "def f(self, p, q):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    source = parse("case.py", code.encode())
    assert isinstance(source, Source)
    file = FileView(source)
    call = next(c for c in file.nodes(ast.Call) if ast.unparse(c.func) == "use")
    used = next(a for a in call.args if ast.unparse(a) == name)
    assert isinstance(used, (ast.Name, ast.Attribute))
    found = file.once(FunctionValues).reaching(used)
    return [ast.unparse(v.value) if v.value is not None else "?" for v in found]


def test_the_last_assignment_before_a_use_hides_the_earlier_ones() -> None:
    assert reaching("x = 1\nx = 2\nuse(x)\nx = 3\n") == ["2"]


def test_a_parameter_is_unknown_until_it_is_assigned() -> None:
    assert reaching("use(p)\n", "p") == ["?"]
    assert reaching("p = 1\nuse(p)\n", "p") == ["1"]


def test_a_name_that_the_function_does_not_bind_has_no_values() -> None:
    assert reaching("use(x)\n") == []


def test_a_branch_adds_a_value_and_two_branches_hide_what_was_before() -> None:
    assert reaching("x = 1\nif p:\n    x = 2\nuse(x)\n") == ["2", "1"]
    assert reaching("x = 1\nif p:\n    x = 2\nelse:\n    x = 3\nuse(x)\n") == ["3", "2"]


def test_a_branch_hides_what_it_binds_further_up_itself() -> None:
    assert reaching("x = 1\nif p:\n    x = 2\n    x = 3\nuse(x)\n") == ["3", "1"]
    nested = "if p:\n    if q:\n        x = 1\n    else:\n        x = 2\n    x = 3\nuse(x)\n"
    assert reaching(nested) == ["3"]


def test_the_other_branch_and_a_branch_that_leaves_do_not_reach() -> None:
    assert reaching("x = 1\nif p:\n    x = 2\nelse:\n    use(x)\n") == ["1"]
    assert reaching("x = 1\nif p:\n    x = 2\n    return x\nuse(x)\n") == ["1"]
    assert reaching("if p:\n    x = 1\nelse:\n    raise E\nuse(x)\n") == ["1"]


def test_a_later_line_of_a_loop_reaches_its_next_round() -> None:
    assert reaching("x = 1\nfor p in q:\n    use(x)\n    x = 2\n") == ["2", "1"]


def test_a_loop_variable_is_unknown_inside_its_loop() -> None:
    assert reaching("x = 1\nfor x in q:\n    use(x)\n") == ["?"]


def test_an_augmented_assignment_is_the_operation_that_it_makes() -> None:
    assert reaching("x = 1\nx += p\nuse(x)\n") == ["x + p"]


def test_a_statement_that_changes_a_value_in_place_is_a_binding() -> None:
    assert reaching("x = p\nx.clamp_(0)\nuse(x)\n") == ["x.clamp_(0)"]
    assert reaching("x = p\nx[0] = 1\nuse(x)\n") == ["?", "p"]


def test_an_unpacked_tuple_pairs_its_parts_where_it_can() -> None:
    assert reaching("x, y = 1, 2\nuse(x)\n") == ["1"]
    assert reaching("x, y = p.chunk(2)\nuse(x)\n") == ["p.chunk(2)"]


def test_an_attribute_is_a_name_of_its_own() -> None:
    assert reaching("self.x = 1\nuse(self.x)\n", "self.x") == ["1"]
