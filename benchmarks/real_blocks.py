"""Blocks of timm, x-transformers and torchtune as subjects, to probe libraries without changing them.

Install the three libraries and run `esper-audit probe benchmarks/real_blocks.py:subjects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from timm import layers, models
from timm.layers.cbam import CbamModule
from timm.models._efficientnet_blocks import InvertedResidual
from torch import Tensor, nn
from torchtune import modules as tune
from torchtune.models.gemma._component_builders import gemma
from torchtune.models.gemma2._attention import Gemma2Attention
from torchtune.models.gemma2._component_builders import gemma2
from torchtune.models.llama2._component_builders import llama2, lora_llama2
from torchtune.models.llama3_1._component_builders import llama3_1
from torchtune.models.mistral._component_builders import mistral
from torchtune.models.phi3._component_builders import phi3
from torchtune.models.qwen2._component_builders import qwen2
from x_transformers import ContinuousTransformerWrapper, Decoder, Encoder, TransformerWrapper

from esper_audit.subject import (
    Checkpointed,
    Draw,
    Promise,
    Subject,
    applied,
    ids,
    pictures,
    promise,
    sequences,
)

DIM, HEADS, LONGEST, VOCABULARY = 16, 2, 64, 11
Build = Callable[[int], nn.Module]
Inputs = Callable[[Draw], Tensor]
Call = Callable[[Any, Tensor], Tensor]

PROBES_OF_ALL = ("checkpoint-round-trip", "fullgraph", "eval-determinism")
OF_ALL = tuple(promise(probe) for probe in PROBES_OF_ALL)
OF_BLOCKS = (*OF_ALL, promise("shape-preserving"))
OF_DROPS = (*OF_ALL, promise("shape-preserving", aliases=True))
OF_WINDOWS = (*OF_ALL, promise("shape-preserving", pictures=False))  # channels are the last axis
CAUSAL = (*OF_BLOCKS, promise("causality"))
LANGUAGE = (*OF_ALL, promise("causality"))


def subjects() -> Iterator[Subject]:
    """Yield the subjects of all three libraries."""
    yield from x_transformers()
    yield from torchtune()
    yield from timm()


def declared(
    library: str,
    builds: Mapping[str, Build],
    inputs: Inputs,
    promises: Iterable[Promise],
    call: Call = applied,
) -> Iterator[Checkpointed]:
    for name, build in builds.items():
        yield Checkpointed(
            name=f"{library}/{name}",
            build=build,
            inputs=inputs,
            call=call,
            dims=(DIM,),
            promises=list(promises),
        )


# The options of a decoder, one set for each subject; it must stay causal under all of them.
DECODERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "flash": {"attn_flash": True},
    "rotary": {"rotary_pos_emb": True},
    "rotary-xpos": {"rotary_xpos": True},
    "polar": {"polar_pos_emb": True},
    "alibi": {"alibi_pos_bias": True},
    "alibi-flash": {"alibi_pos_bias": True, "attn_flash": True},
    "data-dependent-alibi": {"attn_data_dependent_alibi": True},
    "t5-bias": {"rel_pos_bias": True},
    "dynamic-bias": {"dynamic_pos_bias": True},
    "projected-bias": {"attn_use_rel_proj_pos_bias": True},
    "cope": {"attn_use_cope": True},
    "sliding-window": {"attn_max_attend_past": 4},
    "sliding-window-flash": {"attn_max_attend_past": 4, "attn_flash": True},
    "shift-tokens": {"shift_tokens": 1},
    "one-kv-head": {"attn_one_kv_head": True},
    "latent-kv": {"attn_use_latent_kv": True, "attn_dim_latent_kv": 8},
    "memory-kv": {"attn_num_mem_kv": 2},
    "zero-kv": {"attn_add_zero_kv": True},
    "sink": {"attn_head_learned_sink": True},
    "qk-norm": {"attn_qk_norm": True},
    "talking-heads": {"attn_pre_talking_heads": True, "attn_post_talking_heads": True},
    "top-k": {"attn_sparse_topk": 4},
    "l2-distance": {"attn_l2_distance": True},
    "sigmoid": {"attn_sigmoid": True},
    "hard": {"attn_hard": True},
    "selective": {"attn_selective": True},
    "laser": {"attn_laser": True},
    "inverted": {"attn_inverted_attention": True},
    "orthogonal-values": {"attn_orthog_projected_values": True},
    "gated-values": {"attn_gate_values": True, "attn_on_attn": True},
    "zero-init": {"zero_init_branch_output": True},
    "layer-scale": {"use_layerscale": True},
    "residual-attention": {"residual_attn": True},
    "value-residual": {"add_value_residual": True},
    "gated-residual": {"gate_residual": True},
    "orthogonal-residual": {"orthog_residual": True},
    "split-residual": {"mv_split_residual": True},
    "hyper-connections": {"num_residual_streams": 2},
    "integrated-layers": {"integrate_layers": True},
    "dynamic-tanh": {"use_dynamic_tanh": True},
    "sandwich": {"sandwich_norm": True, "macaron": True},
    "u-net": {"unet_skips": True},
    "dropout": {"attn_dropout": 0.2, "ff_dropout": 0.2, "layer_dropout": 0.3},
}
SHAPE = {"depth": 2, "heads": HEADS, "attn_dim_head": 8, "verbose": False}


def x_transformers() -> Iterator[Subject]:
    decoders = {
        f"decoder-{n}": partial(_layers, Decoder, options) for n, options in DECODERS.items()
    }
    yield from declared("x-transformers", decoders, sequences, CAUSAL)
    # An encoder attends to all positions, so causality is not promised.
    encoders = {"encoder": partial(_layers, Encoder, {})}
    yield from declared("x-transformers", encoders, sequences, OF_BLOCKS)
    yield from declared("x-transformers", {"continuous": _continuous}, sequences, CAUSAL)
    yield _model("x-transformers/language-model", _language_model, lambda m: m.token_emb)
    tied = partial(_language_model, tie_embedding=True)
    yield _model("x-transformers/language-model-tied", tied, lambda m: m.token_emb)


def _layers(kind: Callable[..., nn.Module], options: Mapping[str, Any], dim: int) -> nn.Module:
    return kind(dim=dim, **SHAPE, **options)


def _language_model(dim: int, **options: Any) -> nn.Module:
    layers = Decoder(dim=dim, rotary_pos_emb=True, **SHAPE)
    return TransformerWrapper(
        num_tokens=VOCABULARY, max_seq_len=LONGEST, attn_layers=layers, **options
    )


def _continuous(dim: int) -> nn.Module:
    layers = Decoder(dim=dim, **SHAPE)
    return ContinuousTransformerWrapper(
        max_seq_len=LONGEST, attn_layers=layers, dim_in=dim, dim_out=dim
    )


def _model(name: str, build: Build, embedding: Callable[[Any], nn.Module]) -> Checkpointed:
    return Checkpointed(
        name=name,
        build=build,
        inputs=ids(VOCABULARY),
        dims=(DIM,),
        embedding=embedding,
        promises=list(LANGUAGE),
    )


TINY = {"vocab_size": VOCABULARY, "num_layers": 2, "num_heads": HEADS, "max_seq_len": LONGEST}
GROUPED = {**TINY, "num_kv_heads": 1}
MODELS: dict[str, Callable[..., nn.Module]] = {
    "llama2": partial(llama2, **GROUPED),
    "llama2-dropout": partial(llama2, **GROUPED, attn_dropout=0.2),
    "llama2-lora": partial(lora_llama2, ["q_proj"], True, **GROUPED, lora_rank=2, lora_alpha=4.0),
    "llama3-1": partial(llama3_1, **GROUPED),
    "gemma": partial(gemma, **GROUPED, head_dim=8, intermediate_dim=32),
    "gemma2": partial(gemma2, **GROUPED, head_dim=8, intermediate_dim=32, sliding_window_size=4),
    "mistral": partial(mistral, **GROUPED, intermediate_dim=32),
    "qwen2": partial(qwen2, **GROUPED, intermediate_dim=32, tie_word_embeddings=True),
    "phi3": partial(phi3, **TINY, num_kv_heads=HEADS, intermediate_dim=32),
}


def torchtune() -> Iterator[Subject]:
    blocks: dict[str, Build] = {
        "layer": _layer,
        "layer-tanh-gate": partial(_layer, scale=tune.TanhGate),
        "rms-norm": tune.RMSNorm,
        "layer-norm-fp32": tune.Fp32LayerNorm,
    }
    yield from declared("torchtune", blocks, sequences, CAUSAL)
    window = {"sliding_window_size": 4, "softcapping": 50.0}
    causal = {
        "attention": _attention,
        "attention-gemma2": partial(_attention, kind=Gemma2Attention, **window),
    }
    yield from declared("torchtune", causal, sequences, CAUSAL, self_attention)
    not_causal = {"attention-not-causal": partial(_attention, is_causal=False)}
    yield from declared("torchtune", not_causal, sequences, OF_BLOCKS, self_attention)
    for name, build in MODELS.items():
        model = partial(_embedded, build)
        yield _model(f"torchtune/{name}", model, lambda m: m.tok_embeddings)


def self_attention(attention: Any, inputs: Tensor) -> Tensor:
    return attention(inputs, inputs)


def _embedded(build: Callable[..., nn.Module], dim: int, **options: Any) -> nn.Module:
    return build(embed_dim=dim, **options)


def _attention(
    dim: int, kind: type[nn.Module] = tune.MultiHeadAttention, **options: Any
) -> nn.Module:
    width = dim // HEADS
    return kind(
        embed_dim=dim,
        num_heads=HEADS,
        num_kv_heads=1,
        head_dim=width,
        q_proj=nn.Linear(dim, dim),
        k_proj=nn.Linear(dim, width),
        v_proj=nn.Linear(dim, width),
        output_proj=nn.Linear(dim, dim),
        pos_embeddings=tune.RotaryPositionalEmbeddings(width, LONGEST),
        **options,
    )


def _layer(dim: int, scale: Callable[[], nn.Module] | None = None) -> nn.Module:
    gate, down, up = nn.Linear(dim, 32), nn.Linear(32, dim), nn.Linear(dim, 32)
    return tune.TransformerSelfAttentionLayer(
        _attention(dim),
        tune.FeedForward(gate_proj=gate, down_proj=down, up_proj=up),
        sa_norm=tune.RMSNorm(dim),
        mlp_norm=tune.RMSNorm(dim),
        sa_scale=scale and scale(),
        mlp_scale=scale and scale(),
    )


def timm() -> Iterator[Subject]:
    yield from declared("timm", PICTURE_BLOCKS, pictures, OF_BLOCKS)
    yield from declared("timm", TOKEN_BLOCKS, sequences, OF_BLOCKS)
    yield from declared("timm", DROPPING, pictures, OF_DROPS)
    swin = {f"swin-shift-{shift}": partial(_swin, shift=shift) for shift in (0, 2)}
    yield from declared("timm", swin, _channels_last, OF_WINDOWS)


def _swin(dim: int, shift: int) -> nn.Module:
    return models.swin_transformer.SwinTransformerBlock(
        dim, (8, 8), HEADS, window_size=4, shift_size=shift
    )


def _channels_last(draw: Draw) -> Tensor:
    size = (draw.batch, 8, 8, draw.dim)
    values = torch.randn(size, generator=draw.generator(), dtype=torch.float64)
    return values.to(draw.dtype or torch.get_default_dtype())


PICTURE_BLOCKS: dict[str, Build] = {
    "convnext": models.convnext.ConvNeXtBlock,
    "convnext-grn": partial(models.convnext.ConvNeXtBlock, use_grn=True, ls_init_value=None),
    "resnet-basic": lambda dim: models.resnet.BasicBlock(dim, dim),
    "resnet-bottleneck": lambda dim: models.resnet.Bottleneck(dim, dim // 4),
    "resnet-se": lambda dim: models.resnet.BasicBlock(dim, dim, attn_layer=layers.SEModule),
    "inverted-residual": lambda dim: InvertedResidual(dim, dim, exp_ratio=2.0),
    "meta-former": models.metaformer.MetaFormerBlock,
    "inception-next": partial(models.inception_next.MetaNeXtBlock, drop_path=0.2),
    "focal-net": models.focalnet.FocalNetBlock,
    "fast-vit-mixer": models.fastvit.RepMixerBlock,
    "rep-vit": lambda dim: models.repvit.RepViTBlock(dim, 2, 3, use_se=True, act_layer=nn.GELU),
    "squeeze-excite": layers.SEModule,
    "effective-se": layers.EffectiveSEModule,
    "eca": layers.EcaModule,
    "cbam": CbamModule,
    "global-context": layers.GlobalContext,
    "gather-excite": layers.GatherExcite,
    "non-local": layers.NonLocalAttn,
    "selective-kernel": layers.SelectiveKernel,
    "split-attention": layers.SplitAttn,
    "attention-2d": partial(layers.Attention2d, num_heads=HEADS),
    "layer-norm-2d": layers.LayerNorm2d,
    "rms-norm-2d": layers.RmsNorm2d,
    "batch-norm-act": layers.BatchNormAct2d,
    "evo-norm-b0": layers.EvoNorm2dB0,
    "filter-response-norm": layers.FilterResponseNormTlu2d,
}
DROPPING: dict[str, Build] = {
    "drop-path": lambda _dim: layers.DropPath(0.3),
    "drop-block": lambda _dim: layers.DropBlock2d(0.3, block_size=3),
}
TOKEN_BLOCKS: dict[str, Build] = {
    "vit": partial(models.vision_transformer.Block, num_heads=HEADS),
    "vit-layer-scale": partial(
        models.vision_transformer.Block, num_heads=HEADS, init_values=1e-5, drop_path=0.2
    ),
    "vit-parallel": partial(models.vision_transformer.ParallelScalingBlock, num_heads=HEADS),
    "vit-differential": partial(
        models.vision_transformer.DiffParallelScalingBlock, num_heads=HEADS
    ),
    "eva": partial(models.eva.EvaBlock, num_heads=HEADS, swiglu_mlp=True),
    "cait": partial(models.cait.LayerScaleBlock, num_heads=HEADS),
    "mixer": lambda dim: models.mlp_mixer.MixerBlock(dim, seq_len=8),
    "res-mlp": lambda dim: models.mlp_mixer.ResBlock(dim, seq_len=8),
    "gated-mlp": lambda dim: models.mlp_mixer.SpatialGatingBlock(dim, seq_len=8),
}
