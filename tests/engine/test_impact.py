"""Impact is counted, not guessed: who passes, omits, forwards; latent goes down a step and says so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from support.audit_runs import TODAY, audit, write
from support.sample_findings import a_finding
from support.small_indexes import index_of

from esper_audit.engine.impact import ImpactAnalysis
from esper_audit.engine.pipeline import CheckRequest
from esper_audit.findings.finding import Finding, Impact, Location, Severity
from esper_audit.project.config import find_project
from esper_audit.tickets.store import TicketStore
from esper_audit.workflow.run import run

BLEND = "def blend(host, alpha, seed=None):\n    if seed is None:\n        seed = host\n    return seed\n"
USE = "from lib.blend import blend\n\n\n"


def judged(
    files: dict[str, str],
    symbol: str = "blend",
    argument: str = "seed",
    path: str = "lib/blend.py",
    contract: str = "required-seed-input",
) -> tuple[Finding, Impact]:
    """Return a P3 finding about a symbol with its impact."""
    place = Location(path, 1, 1, 1, 5, symbol)
    finding = msgspec.structs.replace(
        a_finding(), location=place, argument=argument, contract=contract
    )
    found = ImpactAnalysis(index_of(files)).with_impact(finding)
    assert found.impact is not None
    return found, found.impact


def words(user: str, argument: str = "seed", **more: str) -> str:
    """Return the impact in words of a finding about `blend`, used so."""
    files = {"lib/blend.py": BLEND, "lib/use.py": USE + user, **more}
    return judged(files, argument=argument)[1].words


def test_calls_that_all_pass_the_argument_leave_it_latent() -> None:
    said = words("def f(h, u):\n    blend(h, 1, u)\n    blend(h, 1, seed=u)\n")
    assert said == "2 calls, all pass seed; no test reaches it; latent, so P4 instead of P3"


def test_one_call_that_leaves_it_out_is_manifest_and_is_named() -> None:
    said = words("def f(h, u):\n    blend(h, 1, u)\n    blend(h, 1)\n")
    assert said == (
        "2 calls: 1 passes seed, 1 leaves it out (lib/use.py:6); no test reaches it; manifest"
    )


def test_passing_none_where_none_is_the_default_is_leaving_it_out() -> None:
    assert words("def f(h):\n    blend(h, 1, seed=None)\n").endswith("; manifest")
    assert words("def f(h):\n    blend(h, alpha=None, seed=1)\n", "alpha").endswith(
        "latent, so P4 instead of P3"
    )


def test_a_call_by_name_only_keeps_it_possible() -> None:
    said = words("def f(o, h):\n    o.blend(h, 1)\n")
    assert said == (
        "no call in production code; 1 more call by name only; no test reaches it; possible"
    )


def test_a_function_handed_on_as_a_value_may_be_called_in_any_way() -> None:
    said = words("def f(h, u):\n    blend(h, 1, u)\n    return map(blend, h)\n")
    assert "used as a value in 1 place" in said
    assert said.endswith("; possible")


def test_a_file_that_could_not_be_read_keeps_it_possible() -> None:
    said = words("def f(h, u):\n    blend(h, 1, u)\n", **{"bad.py": "def (blend\n"})
    assert said.endswith("1 file that may use it not read; possible")


def test_recursion_is_not_a_call() -> None:
    own = BLEND.replace("return seed", "return blend(host, alpha)")
    found, impact = judged({"lib/blend.py": own})
    assert impact.reality == "unreferenced"
    assert found.severity == "P3"


UNUSED = "so P4 instead of P3: nothing in this tree uses it, so repair it or delete it"
PATCHES = "from torch import nn\n\nclass Patches(nn.Module):\n    def forward(self, x):\n        return self.norm(x)\n"
OTHER = "def run(net, x):\n    return net.forward(x)\n"


def test_what_nothing_uses_goes_down_a_step_and_advises_to_repair_or_delete() -> None:
    files = {"lib/blend.py": BLEND, "lib/patches.py": PATCHES, "lib/other.py": OTHER}
    assert judged(files, argument="", contract="known-names")[1].words.endswith(UNUSED)
    found, impact = judged(files, "Patches.forward", "", "lib/patches.py", "known-names")
    assert impact.words.endswith(UNUSED)
    assert (found.severity, impact.lowered_from) == ("P4", "P3")


def test_what_nothing_uses_keeps_its_severity_where_a_run_would_not_show_the_defect() -> None:
    files = {"lib/patches.py": PATCHES, "lib/other.py": OTHER}
    assert judged(files, "Patches.forward", "", "lib/patches.py", "checkpoint")[0].severity == "P3"


@pytest.mark.parametrize(
    "user",
    [
        "from lib.patches import Patches\n\n\ndef make():\n    return Patches()\n",
        "from lib.patches import Patches\n\n\nclass Wide(Patches):\n    pass\n",
        'from lib.patches import Patches\n\n__all__ = ["Patches"]\n',
    ],
    ids=("made", "derived from", "exported"),
)
def test_a_method_of_a_class_that_is_used_keeps_its_severity(user: str) -> None:
    files = {"lib/patches.py": PATCHES, "lib/other.py": OTHER, "lib/user.py": user}
    found, _ = judged(files, "Patches.forward", "", "lib/patches.py", "known-names")
    assert found.severity == "P3"


FORWARDERS = {
    "whose callers all pass it": (
        "def g(h, **more):\n    return blend(h, 1, **more)\n\ndef f(h):\n    g(h, seed=h)\n",
        (
            "1 call, it passes seed (1 by **kwargs, whose callers all do); no test reaches it; latent, "
            "so P4 instead of P3"
        ),
    ),
    "one of whose callers does not": (
        "def g(h, **more):\n    return blend(h, 1, **more)\n\ndef f(h):\n    g(h, seed=h)\n    g(h)\n",
        "1 call: 1 leaves seed out (lib/use.py:9); no test reaches it; manifest",
    ),
    "that nobody calls": (
        "def g(h, **more):\n    return blend(h, 1, **more)\n",
        "1 call: 1 forwards **kwargs, which may hold it; no test reaches it; possible",
    ),
    "that forwards something else": (
        "def g(h, **more):\n    return blend(h, 1, **OPTIONS)\n\ndef f(h):\n    g(h, seed=h)\n",
        "1 call: 1 forwards **kwargs, which may hold it; no test reaches it; possible",
    ),
    "that calls itself in a circle": (
        (
            "def g(h, **more):\n    return k(h, **more)\n\ndef k(h, **more):\n    g(h, **more)\n"
            "    return blend(h, 1, **more)\n"
        ),
        "1 call: 1 forwards **kwargs, which may hold it; no test reaches it; possible",
    ),
}


@pytest.mark.parametrize(("user", "said"), FORWARDERS.values(), ids=FORWARDERS.keys())
def test_a_function_that_forwards_is_followed(user: str, said: str) -> None:
    assert words(user) == said


def test_only_tests_call_it() -> None:
    test = "from lib.blend import blend\n\ndef test_it():\n    blend(1, 2)\n"
    found, impact = judged({"lib/blend.py": BLEND, "tests/test_a.py": test})
    assert impact.words == (
        "no call in production code; 1 call in tests; 1 test names it; test-only, so P4 instead of P3"
    )
    assert impact.tests == ["tests/test_a.py::test_it"]
    assert found.severity == "P4"


NAMED_BY_NO_TEST = {
    "a helper of the tests": (
        {
            "tests/helper.py": "from lib.blend import blend\n\ndef go():\n    blend(1, 2)\n",
            "tests/test_a.py": "from helper import go\n\ndef test_it():\n    go()\n",
        },
        "1 test reaches it through other code",
    ),
    "a fixture": (
        {
            "tests/test_a.py": "import pytest\nfrom lib.blend import blend\n\n@pytest.fixture\ndef mixed():\n"
            "    return blend(1, 2)\n\ndef test_it(mixed): ...\n",
        },
        "1 test reaches it through other code",
    ),
    "the same name on an unknown object": (
        {"tests/test_a.py": "def test_it(tool):\n    tool.blend(1, 2)\n"},
        "no test reaches it",
    ),
}


@pytest.mark.parametrize(("tests", "clause"), NAMED_BY_NO_TEST.values(), ids=NAMED_BY_NO_TEST)
def test_a_test_that_does_not_name_a_function_is_not_counted_as_naming_it(
    tests: dict[str, str], clause: str
) -> None:
    _, impact = judged({"lib/blend.py": BLEND, **tests}, argument="")
    assert f"; {clause}; " in impact.words
    assert impact.tests == []


def test_a_test_of_a_subclass_does_not_name_the_constructor_of_the_base() -> None:
    base = "class Base:\n    def __init__(self): ...\n\nclass Sub(Base): ...\n"
    test = "from lib.b import Base, Sub\n\ndef test_sub():\n    Sub()\n\ndef test_base():\n    Base()\n"
    files = {"lib/b.py": base, "tests/test_b.py": test}
    _, impact = judged(files, "Base.__init__", "", "lib/b.py")
    assert impact.tests == ["tests/test_b.py::test_base"]
    assert "1 test names it, 1 more reaches it through other code" in impact.words


def test_the_identity_stays_when_the_severity_goes_down() -> None:
    found, _ = judged({"lib/blend.py": BLEND, "lib/use.py": f"{USE}blend(1, 2, 3)\n"})
    assert (found.severity, found.fingerprint) == ("P4", a_finding().fingerprint)


def test_the_lowest_severity_stays_and_nothing_is_said_of_it() -> None:
    files = {"lib/blend.py": BLEND, "lib/use.py": f"{USE}blend(1, 2, 3)\n"}
    finding = msgspec.structs.replace(
        a_finding(), location=Location("lib/blend.py", 1, 1, 1, 5, "blend"), argument="seed"
    )
    lowest = msgspec.structs.replace(finding, severity=Severity.P4)
    impact = ImpactAnalysis(index_of(files)).with_impact(lowest).impact
    assert impact is not None
    assert impact.lowered_from is None
    assert impact.words.endswith("; latent")


MODEL = (
    "from torch import nn\n\nclass Net(nn.Module):\n    def forward(self, x): ...\n    def idle(self): ...\n"
    "    def used(self): ...\n\n@app.command()\ndef run(): ...\n\nX = 1\n"
)
ABOUT_USE = {
    ("Net.used", "use.py", "import m\n\ndef f(n: m.Net):\n    n.used()\n"): (
        "1 use in use; no test reaches it; manifest"
    ),
    ("Net.forward", "use.py", "import m\n\nnet = m.Net()\n"): (
        "no use in production code; its class is used in 1 place; no test reaches it; possible"
    ),
    ("Net.forward", "use.py", "import m\n\nnet = m.Net()\n\ndef f(x):\n    net(x)\n"): (
        "1 use in use; no test reaches it; manifest"
    ),
    ("run", "use.py", ""): (
        "no use in production code; registered by @app.command(...); no test reaches it; possible"
    ),
    ("", "use.py", ""): "at module level, so it runs on import; manifest",
}


@pytest.mark.parametrize(("case", "said"), ABOUT_USE.items(), ids=lambda case: case[0])
def test_without_an_argument_the_uses_are_counted(case: tuple[str, str, str], said: str) -> None:
    symbol, path, user = case
    assert judged({"m.py": MODEL, path: user}, symbol, "", "m.py")[1].words == said


def test_a_finding_in_a_test_is_test_only() -> None:
    found, impact = judged({"tests/test_a.py": BLEND}, path="tests/test_a.py")
    assert impact.words == "in a test; test-only, so P4 instead of P3"
    assert found.severity == "P4"


def test_a_nested_function_is_hit_by_what_hits_the_one_around_it() -> None:
    outer = "def outer():\n    def inner(): ...\n    return inner()\n"
    _, impact = judged(
        {"a.py": outer, "b.py": "import a\n\na.outer()\n"}, "outer.inner", "", "a.py"
    )
    assert impact.reality == "manifest"


def test_a_file_outside_the_index_has_no_impact() -> None:
    finding = msgspec.structs.replace(a_finding(), location=Location("x.toml", 1, 1, 1, 5, ""))
    assert ImpactAnalysis(index_of({"a.py": ""})).with_impact(finding) == finding


SEVEN_CALLS = {
    "pyproject.toml": "[tool.esper-audit]\nselect = ['argument-fallback']\n",
    "lib/__init__.py": "from lib.blend import blend_multiply\n",
    "lib/blend.py": "import torch\n\n\n"
    "def blend_multiply(\n"
    "    host: torch.Tensor, alpha: torch.Tensor, seed_input: torch.Tensor | None = None\n"
    ") -> torch.Tensor:\n"
    "    if seed_input is None:\n        seed_input = host\n"
    "    return host * (1 + alpha * seed_input.tanh())\n",
    "lib/use.py": "from lib import blend, blend_multiply as mix\n"
    "from lib.blend import blend_multiply\n\n\n"
    "class Slot:\n"
    "    def step(self, h, x):\n"
    "        one = blend_multiply(h, x, h)\n"
    "        two = blend_multiply(h, x, seed_input=x)\n"
    "        return one + two + blend.blend_multiply(h, alpha=x, seed_input=h)\n\n"
    "    def stop(self, h, x):\n"
    "        return mix(h, x, seed_input=h) + mix(h, x, h)\n\n\n"
    "def last(h, x):\n    return blend_multiply(host=h, alpha=x, seed_input=x)\n\n\n"
    "def forward_on(h, x, **kwargs):\n    return blend_multiply(h, x, **kwargs)\n",
    "tests/test_blend.py": "from lib.use import last\nfrom lib.blend import blend_multiply\n\n\n"
    "def test_directly():\n    blend_multiply(1, 2)\n\n\ndef test_through_last():\n    last(1, 2)\n",
}


def ticket_of(root: Path) -> tuple[str, str, dict[str, int] | None]:
    """Run a whole audit; return severity, words and counts of its one ticket."""
    run(find_project([str(root)]), CheckRequest(cache=False, today=TODAY))
    (ticket,) = TicketStore(str(root / "tickets")).load().values()
    assert ticket.impact is not None
    return ticket.severity, ticket.impact.words, ticket.impact.counts


def test_six_pass_one_forwards_one_is_a_test(tmp_path: Path) -> None:
    assert ticket_of(write(tmp_path, SEVEN_CALLS)) == (
        "P3",
        (
            "7 calls: 6 pass seed_input, 1 forwards **kwargs, which may hold it; 1 call in tests; "
            "1 test names it, 1 more reaches it through other code; possible"
        ),
        {
            "calls": 7,
            "passing": 6,
            "forwarding": 1,
            "test-calls": 1,
            "tests-through": 1,
        },
    )


def test_and_where_the_forwarders_caller_passes_it_the_finding_is_latent(tmp_path: Path) -> None:
    caller = "from lib.use import forward_on\n\n\ndef go(h):\n    forward_on(h, 1, seed_input=h)\n"
    assert ticket_of(write(tmp_path, {**SEVEN_CALLS, "lib/go.py": caller})) == (
        "P4",
        (
            "7 calls, all pass seed_input (1 by **kwargs, whose callers all do); 1 call in tests; "
            "1 test names it, 1 more reaches it through other code; latent, so P4 instead of P3"
        ),
        {
            "calls": 7,
            "passing": 7,
            "test-calls": 1,
            "tests-through": 1,
        },
    )


def test_the_ticket_page_and_the_audit_page_say_it(tmp_path: Path) -> None:
    ticket_of(write(tmp_path, SEVEN_CALLS))
    (page,) = (tmp_path / "reports" / "tickets").glob("EA-*.md")
    text = page.read_text(encoding="utf-8")
    assert "7 calls: 6 pass seed_input, 1 forwards **kwargs, which may hold it" in text
    assert "- Tests that name it: `tests/test_blend.py::test_directly`" in text
    assert "- Exported by: `lib`" in text
    assert "7 calls: 6 pass" in (tmp_path / "reports" / "audit.md").read_text(encoding="utf-8")


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    ticket_of(write(tmp_path, SEVEN_CALLS))
    assert run(find_project([str(tmp_path)]), CheckRequest(cache=False, today=TODAY)).changed == []


def test_check_knows_no_impact_unless_it_is_asked(tmp_path: Path) -> None:
    (finding,) = audit(write(tmp_path, SEVEN_CALLS)).findings
    assert finding.impact is None
    (finding,) = audit(tmp_path, impact=True).findings
    assert finding.impact is not None


def test_what_is_known_by_name_only_is_no_use_no_test_and_no_package() -> None:
    files = {
        "lib/blend.py": "class Blend:\n    def mix(self, host, seed=None):\n        return seed or host\n",
        "lib/use.py": "def f(thing, h):\n    return thing.mix(h)\n",
        "tests/test_mix.py": "def test_mix(thing):\n    assert thing.mix(1)\n",
    }
    for argument in ("seed", ""):
        impact = judged(files, "Blend.mix", argument)[1]
        counted = (impact.calls, impact.test_calls, impact.tests, impact.packages, impact.by_name)
        assert counted == (0, 0, [], {}, 1), impact.words
        assert "no test reaches it" in impact.words
