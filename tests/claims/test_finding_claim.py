"""The claim `finding`: a check still reports a symbol."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.audit_runs import HASATTR
from support.claim_replies import reply
from support.local_rules import RAISES, rule_source

from esper_audit.claims.reply import Reply

MODEL = """class Model:
    def forward(self, host):
        if hasattr(host, "segments"):
            return 1

    def cut(self, host):
        return host.segments()
"""


def reply_to(root: Path, at: str, check: str = HASATTR, text: str = MODEL, toml: str = "") -> Reply:
    files = {"model.py": text, "esper-audit.toml": toml}
    return reply(root, files, kind="finding", check=check, at=at)


@pytest.mark.parametrize("at", ["model.Model.forward", "model.py:Model", "model.py"])
def test_a_check_that_fires_there_holds(tmp_path, at) -> None:
    result = reply_to(tmp_path, at)
    assert (result.answer, result.places) == ("holds", ("model.py:3",))


def test_a_check_that_fires_beside_it_is_refuted(tmp_path) -> None:
    assert reply_to(tmp_path, "model.Model.cut").answer == "refuted"


def test_a_method_whose_name_begins_like_it_is_another(tmp_path) -> None:
    text = MODEL.replace("def cut", "def forw").replace("host.segments()", "2")
    assert reply_to(tmp_path, "model.Model.forw", text=text).answer == "refuted"


def test_an_authorised_finding_is_still_there(tmp_path) -> None:
    allowed = MODEL.replace(
        ":\n            return 1",
        ":  # esper-audit: allow unauthorised-hasattr -- Ada: it is foreign\n            return 1",
    )
    assert reply_to(tmp_path, "model.Model.forward", text=allowed).answer == "holds"


@pytest.mark.parametrize(
    ("at", "check"),
    [("model.Model.gone", HASATTR), ("gone.Model", HASATTR), ("model.Model", "no-such-check")],
    ids=["the symbol is gone", "the module is gone", "there is no such check"],
)
def test_what_is_gone_is_stale(tmp_path, at, check) -> None:
    assert reply_to(tmp_path, at, check).answer == "stale"


@pytest.mark.parametrize(
    ("text", "toml"),
    [
        (MODEL + "def (\n", ""),
        (MODEL, f'[[per-path]]\npath = "model.py"\nignore = ["{HASATTR}"]\n'),
        (MODEL, 'exclude = ["model.py"]\n'),
    ],
    ids=["it does not parse", "the check is off there", "the file is excluded"],
)
def test_a_file_that_was_not_looked_at_has_no_answer(tmp_path, text, toml) -> None:
    assert reply_to(tmp_path, "model.py", text=text, toml=toml).answer == "cannot-tell"


def test_a_check_that_raised_on_the_file_has_no_answer(tmp_path) -> None:
    files = {
        "model.py": "def cut(host):\n    return old(host)\n",
        "fails.py": rule_source("fails", RAISES),
        "esper-audit.toml": 'local-rules = ["fails.py"]\n',
    }
    result = reply(tmp_path, files, kind="finding", check="fails", at="model.cut")
    assert (result.answer, "the rule raised ValueError" in result.evidence) == ("cannot-tell", True)
