"""The corpus of the probe `causality`: each module, with the detectors that must fail."""

from __future__ import annotations

from collections.abc import Iterator

from subjects import causal_modules, leaking_modules, pooling_modules
from subjects.cases import Case, broken, inconclusive, sound
from torch import nn

from esper_audit.subject import Module, PlainValue, ids, promise, sequences


def cases() -> Iterator[Case]:
    yield from _sound()
    for name, (build, detectors) in leaking_modules.LEAKING.items():
        yield broken(_module(name, build), detectors)
    everything = "altered prefix gradient"
    remembering = _module("remembering", leaking_modules.Remembering)
    yield broken(remembering, "remembers altered prefixes")
    yield broken(_module("wide-chunks", pooling_modules.WideChunkMean, block=48), everything)
    yield broken(_module("batch-norm-in-train", causal_modules.NormalisedTokens), everything)
    leaking_model = _language_model("leaking-language-model", leaking_modules.LeakingLanguageModel)
    yield broken(leaking_model, everything)
    yield inconclusive(
        _module("alpha-of-zero-in-a-buffer", leaking_modules.BufferAlpha), "parameters-dead"
    )
    yield inconclusive(_module("softmax-in-half-precision", causal_modules.HalfSoftmax), "prefixes")
    yield inconclusive(_module("constant", leaking_modules.Constant), "input-alive")


def _sound() -> Iterator[Case]:
    for name, build in causal_modules.SOUND.items():
        yield sound(_module(name, build))
    yield sound(_module("batch-norm-in-eval", causal_modules.NormalisedTokens, modes=("eval",)))
    on_the_last_axis = Module(
        name="time-on-the-last-axis",
        build=causal_modules.ChannelsFirstConv,
        inputs=lambda draw: sequences(draw).transpose(1, 2),
        dims=(8,),
        promises=[promise("causality", axis=2)],
    )
    yield sound(on_the_last_axis)
    yield sound(_language_model("language-model", causal_modules.LanguageModel))


def _module(name: str, build: type[nn.Module], **parameters: PlainValue) -> Module:
    kept = promise("causality", **parameters)
    return Module(name=name, build=build, inputs=sequences, dims=(8,), promises=[kept])


def _language_model(name: str, build: type[nn.Module]) -> Module:
    return Module(
        name=name,
        build=build,
        inputs=ids(11),
        dims=(8,),
        embedding=lambda module: module.embedding,
        promises=[promise("causality")],
    )
