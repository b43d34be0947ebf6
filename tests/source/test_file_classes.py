"""What the classes of one file bind, read and inherit."""

from __future__ import annotations

import ast
from textwrap import dedent

from esper_audit.source.idioms.classes.file_classes import ClassFamily, ClassTable
from esper_audit.source.syntax.file_view import FileView
from esper_audit.source.syntax.source import Source, parse


def family(code: str, name: str) -> ClassFamily:
    source = parse("case.py", dedent(code).encode())
    assert isinstance(source, Source)
    table = ClassTable(FileView(source))
    return table.family(table.by_name[name])


BASE_AND_DERIVED = """
    from torch import nn

    class Base(nn.Module):
        scale = 2

        def __init__(self):
            super().__init__()
            self.a, self.b = one(), two()
            self.first, *self.rest = many()
            self.register_buffer("mask", ones(3), persistent=False)

        def helper(self):
            return self.deep()

        def deep(self):
            return self.a

    class Derived(Base):
        def forward(this, x):
            this.count += 1
            with open("f") as this.file:
                for this.i in x:
                    setattr(this, "named", 1)
            return this.helper()
"""


def test_a_family_has_the_attributes_of_its_bases() -> None:
    derived = family(BASE_AND_DERIVED, "Derived")
    bound = ("a", "b", "first", "rest", "mask", "file", "i", "named", "scale", "deep", "count")
    assert [name for name in bound if not derived.has_name(name)] == []
    assert not derived.has_name("x")
    assert derived.is_module
    assert not derived.is_dynamic
    assert not family(BASE_AND_DERIVED, "Base").has_name("count")


def test_a_binding_has_its_value_and_its_method() -> None:
    derived = family(BASE_AND_DERIVED, "Derived")
    (found,) = derived.bindings("mask")
    assert found.method.name == "__init__"
    assert [ast_name(use.value) for use in derived.bindings("b")] == ["two"]
    assert [use.value for use in derived.bindings("count")] == [None]
    assert [use.method.name for use in derived.reads("count")] == ["forward"]


def test_what_a_method_reaches_on_its_object_is_followed_through_the_bases() -> None:
    derived = family(BASE_AND_DERIVED, "Derived")
    assert [m.name for m in derived.reached_from("forward")] == ["forward", "helper", "deep"]


def test_names_that_are_not_literals_make_a_family_dynamic() -> None:
    for line in ("setattr(self, name, 1)", "self.__dict__.update(name)", "vars(self)[name] = 1"):
        assert family(f"class A:\n    def f(self, name):\n        {line}\n", "A").is_dynamic
    assert family("class A:\n    def __getattr__(self, name): ...\n", "A").is_dynamic
    literal = "class A:\n    def f(self):\n        setattr(self, 'x', 1)\n"
    assert not family(literal, "A").is_dynamic


def test_bases_of_other_files_keep_their_dotted_names() -> None:
    code = "import other\nfrom far import A\n\nclass B(other.C, A, Generic[T], make()): ...\n"
    assert family(code, "B").foreign_bases == {"other.C", "far.A", "Generic", ""}


def ast_name(node: object) -> str:
    assert isinstance(node, ast.Call)
    return ast.unparse(node.func)
