"""The keys that a function writes to a dict and reads from one, and whether there may be others."""

from __future__ import annotations

import ast
import textwrap

import pytest

from esper_audit.source.idioms.state.state_keys_read import KeyRead, read_keys
from esper_audit.source.idioms.state.state_keys_written import KeyWrite, written_keys
from esper_audit.source.syntax.names import Function


def function(body: str, parameters: str = "self, d") -> Function:
    code = f"def f({parameters}):\n" + textwrap.indent(body, "    ")
    (made,) = ast.parse(code).body
    assert isinstance(made, ast.FunctionDef)
    return made


@pytest.mark.parametrize(
    ("body", "keys", "is_open"),
    [
        ("return {'a': 1, 'b': 2}", "ab", False),
        ("return dict(a=1, b=2)", "ab", False),
        ("return collections.OrderedDict({'a': 1}, b=2)", "ab", False),
        ("x = {}\nx['a'] = 1\nx.setdefault('b', 2)\nreturn x", "ab", False),
        ("x: dict = {'a': 1}\nx.update({'b': 2}, c=3)\nx.items()\nlen(x)\nreturn x", "abc", False),
        ("if d:\n    return None\nreturn {'a': 1}", "a", False),
        ("torch.save({'a': 1}, path)\nreturn {'b': 2}", "a", False),
        ("return {'a': 1, k: 2}", "a", True),
        ("return {'a': 1, **rest}", "a", True),
        ("return dict({'a': 1}, **rest)", "a", True),
        ("return dict(rest, a=1)", "a", True),
        ("x = {'a': 1}\nx[k] = 2\nreturn x", "a", True),
        ("x = {'a': 1}\nx.update(rest)\nreturn x", "a", True),
        ("x = {'a': 1}\nadd = x.update\nreturn x", "a", True),
        ("x = {'a': 1}\nfill(x)\nreturn x", "a", True),
        ("y = {}\nx = y\nx['a'] = 1\nreturn x", "a", True),
        ("x = super().f()\nx['a'] = 1\nreturn x", "a", True),
        ("for x in rest:\n    x['a'] = 1\nreturn x", "a", True),
        ("if d:\n    return {'a': 1}\nreturn make()", "a", True),
    ],
)
def test_written_keys_are_collected(body: str, keys: str, is_open: bool) -> None:
    assert written_keys(function(body)) == KeyWrite(frozenset(keys), is_open)


@pytest.mark.parametrize(
    "body",
    [
        "return make()",
        "d['a'] = 1\nreturn d",
        "save({'a': 1})\nsave({'b': 1})",
        "x = 1\nreturn",
        "save()",
    ],
)
def test_no_written_keys_are_known(body: str) -> None:
    assert written_keys(function(body)) is None


@pytest.mark.parametrize(
    ("body", "read"),
    [
        ("self.a = d['a']\nself.b = d.pop('b')", ("ab", "", "", False)),
        ("self.a = d.get('a')\nself.b = d.pop('b', 0)", ("", "ab", "", False)),
        ("d.setdefault('a', 1)\nif 'b' in d:\n    d['c'] = 1", ("", "", "abc", False)),
        ("if d is None or not d or isinstance(d, list) or len(d) > 3:\n    return\nd['a']", ("a", "", "", False)),
        ("e = d\ng = dict(d)\ne['a'], g['b']", ("ab", "", "", False)),
        ("h = copy.deepcopy(d)\ni = d.copy()\nh['c'], i['e']", ("ce", "", "", False)),
        ("data = torch.load(d)\ndata['a']", ("a", "", "", False)),
        ("d['a']['b']", ("a", "", "", False)),
        ("d['a']\nsuper().load(d)", ("a", "", "", True)),
        ("d['a']\nreturn d", ("a", "", "", True)),
        ("d['a']\nself.rest = d", ("a", "", "", True)),
        ("d['a']\nfor k in d:\n    pass", ("a", "", "", True)),
        ("d['a']\nd.items()", ("a", "", "", True)),
        ("d['a']\nd[k]", ("a", "", "", True)),
        ("d['a']\nd.get(k)", ("a", "", "", True)),
        ("d['a']\nf(dict(d))", ("a", "", "", True)),
    ],
)  # fmt: skip
def test_read_keys_are_collected(body: str, read: tuple[str, str, str, bool]) -> None:
    required, optional, handled, is_passed_on = read
    expected = KeyRead(frozenset(required), frozenset(optional), frozenset(handled), is_passed_on)
    assert read_keys(function(body)) == expected


@pytest.mark.parametrize("body", ["other['a']", "d.items()", "self['a']", "strict['a']"])
def test_only_reads_of_the_first_argument_count(body: str) -> None:
    assert read_keys(function(body, "self, d, strict")) is None
