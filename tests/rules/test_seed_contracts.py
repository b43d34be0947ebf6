"""The five contracts that the tickets of the seeds' project asked for speak on the code of those tickets."""

from __future__ import annotations

from itertools import product
from textwrap import dedent, indent

import msgspec
import pytest

from esper_audit.engine.file_checker import check_source
from esper_audit.engine.triggers import TriggerTable
from esper_audit.rules.registry import discover
from esper_audit.source.syntax.source import Source, parse

RULES = discover()
SPELLINGS = {
    "if": "if u is None:\n    u = h",
    "conditional with a call": "u = h if u is None else f(u)",
    "conditional": "u = u if u is not None else h",
    "or": "u = u or h",
}
SIGNATURES = {
    "annotated": "h: torch.Tensor, u: torch.Tensor | None = None",
    "not annotated": "h, u=None",
}
DEFINITIONS = {
    "function": "def blend({}):",
    "async function": "async def blend({}):",
    "method": "class Blend:\n    def apply(self, {}):",
    "async method": "class Blend:\n    async def apply(self, {}):",
}
EVERY = list(product(SPELLINGS, SIGNATURES, DEFINITIONS))


def reported(
    check: str, code: str, path: str = "case.py", **options: object
) -> list[tuple[int, str]]:
    rule = RULES[check]
    source = parse(path, dedent(code).encode())
    assert isinstance(source, Source), source
    table = TriggerTable.of([rule(msgspec.convert(options, rule.Options))])
    return [(f.location.line, f.message) for f in check_source(source, table).findings]


def spelled(spelling: str, signature: str, definition: str, last: str) -> str:
    header = DEFINITIONS[definition].format(SIGNATURES[signature])
    body = indent(f"{SPELLINGS[spelling]}\n{last}\n", "        " if "class" in header else "    ")
    return f"import torch\n\n{header}\n{body}"


def test_b2_drl_10_a_missing_seed_input_becomes_the_host_features() -> None:
    code = """
    def blend_multiply(
        host_features: torch.Tensor,
        seed_modulation: torch.Tensor,
        alpha: torch.Tensor,
        seed_input: torch.Tensor | None = None,  # Defaults to host_features
    ) -> torch.Tensor:
        if seed_input is None:
            seed_input = host_features  # Gradient coupling!
        # ...
        multiplier = multiply_valve_multiplier(alpha, seed_input)
    """
    message = "`seed_input` silently becomes `host_features` if a caller omits it"
    assert reported("argument-fallback", code) == [(6, message)]


@pytest.mark.parametrize(("spelling", "signature", "definition"), EVERY)
def test_b2_drl_10_every_spelling_is_found_where_the_contract_is_adopted(
    spelling: str, signature: str, definition: str
) -> None:
    code = spelled(spelling, signature, definition, "return combine(h, u)")
    ((_, message),) = reported("argument-fallback", code, adopted=True)
    assert message == "`u` silently becomes `h` if a caller omits it"


@pytest.mark.parametrize(("spelling", "signature", "definition"), EVERY)
def test_b2_drl_10_every_spelling_is_found_by_default_for_what_is_annotated_as_a_tensor(
    spelling: str, signature: str, definition: str
) -> None:
    code = spelled(spelling, signature, definition, "return h * torch.sigmoid(u)")
    messages = [message for _, message in reported("argument-fallback", code)]
    is_annotated = signature == "annotated"
    assert messages == ["`u` silently becomes `h` if a caller omits it"] * is_annotated


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_b2_drl_10_a_reference_in_another_precision_is_found_by_default(definition: str) -> None:
    header = DEFINITIONS[definition].format(
        "host: torch.Tensor, reference: torch.Tensor | None = None"
    )
    body = """
    ref = host if reference is None else reference.to(host.dtype)
    return (host - ref).pow(2).mean()
    """
    depth = "        " if "class" in header else "    "
    code = f"import torch\n\n{header}\n{indent(dedent(body), depth)}"
    ((_, message),) = reported("argument-fallback", code)
    assert message == "`reference` silently becomes `host` if a caller omits it"


def test_a_default_that_the_docstring_states_is_found_where_the_contract_is_adopted() -> None:
    code = """
    def blend(h: torch.Tensor, u: torch.Tensor | None = None):
        \"\"\"Blend two tensors.

        Args:
            h: features of the host.
            u: features of the seed. If None, those of the host.
        \"\"\"
        u = h if u is None else u
        return h * torch.sigmoid(u)
    """
    assert reported("argument-fallback", code) == []
    assert len(reported("argument-fallback", code, adopted=True)) == 1


def test_b2_drl_10_self_attention_is_a_documented_default() -> None:
    code = """
    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None):
        context = x if context is None else context.to(x.dtype)
        return self.attend(self.q(x), self.kv(context))
    """
    assert reported("argument-fallback", code) == []


def test_b3_drl_02_the_estimate_of_an_attention_seed_is_a_constant() -> None:
    code = """
    @BlueprintRegistry.register("attention", "cnn", param_estimate=2000)
    def create_attention_seed(dim, reduction=4):
        return nn.Sequential(nn.Linear(dim, dim // reduction), nn.Linear(dim // reduction, dim))
    """
    ((line, message),) = reported("constant-param-estimate", code)
    assert line == 2
    assert "param_estimate=2000" in message


def test_b3_drl_02_the_recommended_formula_is_no_constant() -> None:
    code = """
    @BlueprintRegistry.register(
        "attention", "cnn",
        param_estimate=lambda dim, reduction=4: 2 * dim * (dim // reduction) + dim + (dim // reduction),
    )
    def create_attention_seed(dim, reduction=4):
        return nn.Sequential(nn.Linear(dim, dim // reduction), nn.Linear(dim // reduction, dim))
    """
    assert reported("constant-param-estimate", code) == []


def test_deep_dive_1_2_only_an_epsilon_keeps_the_gradient_ratio_finite() -> None:
    code = """
    def ratio(seed_norm, host_norm):
        raw_ratio = seed_norm / (host_norm + GRADIENT_EPSILON)
        return raw_ratio
    """
    ((line, message),) = reported("unguarded-norm-ratio", code)
    assert line == 3
    assert "is unbounded: if `host_norm` is 0" in message


def test_deep_dive_1_2_the_recommended_guard_is_one() -> None:
    code = """
    def ratio(seed_norm, host_norm, normalization_factor):
        if host_norm < GRADIENT_EPSILON:
            ratio = 0.0  # Host has no gradients - cannot compute meaningful ratio
        else:
            raw_ratio = seed_norm / host_norm
            ratio = min(10.0, raw_ratio * normalization_factor)  # Clamp to reasonable range
        return ratio
    """
    assert reported("unguarded-norm-ratio", code) == []


def test_b3_drl_14_the_normalisation_divides_by_a_count_that_may_be_zero() -> None:
    code = """
    def ratio(raw_ratio, host_params, seed_params):
        normalization_factor = (host_params / seed_params) ** 0.5
        ratio = raw_ratio * normalization_factor
        return ratio
    """
    ((line, message),) = reported("unguarded-norm-ratio", code)
    assert line == 3
    assert "`seed_params`, which is 0 for a module without parameters" in message


def test_deep_dive_1_4_the_attention_of_a_transformer_seed_sees_later_tokens() -> None:
    code = """
    import torch.nn.functional as F

    @BlueprintRegistry.register("attention", "transformer", param_estimate=estimate)
    def create_transformer_attention_seed(dim):
        class TransformerAttentionSeed(nn.Module):
            def forward(self, x):
                q, k, v = self.qkv(x)
                out = F.scaled_dot_product_attention(q, k, v)  # No is_causal=True
                return x + self.proj(out)
        return TransformerAttentionSeed()
    """
    ((line, message),) = reported("attention-without-causal-mask", code)
    assert line == 9
    assert "no attn_mask and no is_causal, in `TransformerAttentionSeed`" in message


def test_deep_dive_1_4_a_docstring_states_the_intention() -> None:
    code = '''
    from torch.nn import functional

    class Seed(nn.Module):
        """Attention of a causal transformer host."""

        def forward(self, q, k, v):
            return functional.scaled_dot_product_attention(q, k, v)
    '''
    ((line, message),) = reported("attention-without-causal-mask", code)
    assert line == 8
    assert message.endswith("in `Seed`, which is causal by its docstring")
    own = code.replace("from torch.nn import functional", "from .kernels import functional")
    assert reported("attention-without-causal-mask", own) == []


def test_deep_dive_4_an_attribute_check_needs_an_authorisation() -> None:
    code = """
    def width(host):
        if hasattr(host, "hidden_dim"):
            return host.hidden_dim
        return getattr(host, "dim", 64)
    """
    found = reported("unauthorised-hasattr", code)
    assert [line for line, _ in found] == [3, 5]


BY_FILE = """
from torch import nn
import torch.nn.functional as F


class Block(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)
"""
NAMED_CLASS = """

class CausalText(nn.Module):
    def forward(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
"""


def test_the_name_of_a_file_makes_its_attention_causal_unless_a_class_explains_the_name() -> None:
    path = "models/causal_text.py"
    ((line, message),) = reported("attention-without-causal-mask", BY_FILE, path)
    assert (line, message.endswith("which is causal by the name of its file")) == (8, True)
    assert reported("attention-without-causal-mask", BY_FILE + NAMED_CLASS, path) == []
    assert reported("attention-without-causal-mask", BY_FILE, "models/text.py") == []
