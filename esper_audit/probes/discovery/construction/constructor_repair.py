"""Other arguments of a constructor, as the message of its error suggests."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from torch import nn

from esper_audit.probes.discovery.failure import TrialFailure
from esper_audit.probes.recipes.values import (
    Arguments,
    CallSpec,
    NameSpec,
    TensorSpec,
    TupleSpec,
    Value,
)

NOT_A_SEQUENCE = re.compile(
    r"not iterable|not subscriptable|not reversible|has no len\(\)|'int' object has no attr"
    r"|must be (?:a )?(?:list|tuple|iterable)"
    r"|(?:must be|called with) an iterable|cannot unpack non-iterable|concatenate (?:list|tuple)"
)
INT_AS_SEQUENCE = re.compile(
    r"'int' (?:object )?(?:is not (?:iterable|subscriptable)|has no len)|must be an iterable, not int"
)
NOT_A_NUMBER = re.compile(
    r"unsupported operand type|cannot be interpreted as an integer|must be (?:an )?int|not supported between"
)
LENGTHS = re.compile(
    r"\blen(?:gths?)?\b|index out of range|number of|not enough values|too many values"
    r"|\bexactly (?:one|two|\d)\b",
    re.IGNORECASE,
)
NOT_CALLABLE = re.compile(r"'(?:int|float)' object is not callable")
UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
NO_LIST = re.compile(r"list is not a Module subclass")
CALLABLES = (  # likely ones, where a number was given
    CallSpec("torch.nn:Linear", (32, 32)),
    CallSpec("torch.nn:Conv2d", (32, 32, 1)),
    CallSpec("torch.nn:Embedding", (32, 32)),
    CallSpec("torch.nn:Identity"),
)
EQUAL = re.compile(r"==|(?:must|should|to) (?:be )?(?:equal|match|the same)|equal to|same as")
TYPES = frozenset({"int", "float", "str", "bool", "list", "tuple", "dict", "NoneType", "Tensor"})
LACKING = re.compile(r"(?:type object )?'([\w.]+)'(?: object)? has no attribute '(\w+)'")
QUOTED = re.compile(r"['\"]([\w\-./]+)['\"]")
KEYWORD = re.compile(r"[`'\"](\w+)[`'\"]")
CHOICES = re.compile(
    r"\b(?:one of|choose from|options are|choices(?: are)?|available:?|in)[:\s]*"
    r"[\[({]?\s*([\w'\"\-]+(?:,\s*[\w'\"\-]+)+)"
)
MOST_CHOICES = 4
NEEDED = re.compile(
    r"\b(?:be|is|are) (?:specified|given|provided|passed|required|set)\b|(?:cannot|can't|not) be None|specify",
    re.IGNORECASE,
)
ALLOWED = re.compile(
    r"\b(?:must|should|only|has to|expected|assert)\b|==|\bin [\[({]", re.IGNORECASE
)
NUMBER = re.compile(r"(?<![\w.])[+-]?\d+(?:\.\d+)?(?![\w.]*\d)")
RANK = re.compile(r"(\d)[- ]?D\b|(\d) dim|(\d)-dimensional", re.IGNORECASE)
ORDER = re.compile(r"[A-Za-z_]\w*(?:\s*<=?\s*[A-Za-z_]\w*)+")
LESS = re.compile(
    r"(\w+)['`\"]? must be (?:less|smaller|lower) than (?:the value of )?['`\"]?(\w+)"
)
MOST_NUMBERS = 4
MOST_LAYERS = 3
LAYERS: dict[str, tuple[int, ...]] = {
    "Linear": (32, 32),
    "Conv2d": (32, 32, 1),
    "Embedding": (32, 32),
    "LayerNorm": (32,),
    "BatchNorm2d": (32,),
    "LSTM": (32, 32),
    "MultiheadAttention": (32, 4),
}
SIDE = 16
LONG = (8, 12)  # items of a list of which one at a high place is read
MOST_LISTED = 4  # items of a list that is tried at first


def with_keyword(call: CallSpec, name: str, value: Value) -> CallSpec:
    """Return a construction with one more or another argument."""
    return CallSpec(call.path, call.args, {**call.kwargs, name: value})


def is_of_type(value: Value, name: str) -> bool:
    """Return whether a value is a class, or an object of a class, of this name."""
    if isinstance(value, (CallSpec, NameSpec)):
        return re.split("[:.]", value.path)[-1] == name.rpartition(".")[2]
    return type(value).__name__ == name


def is_plain(values: list[Value]) -> bool:
    """Return whether all values are numbers."""
    return all(isinstance(value, (int, float)) for value in values)


def is_layer(value: Value) -> bool:
    """Return whether a value is a layer of torch."""
    return isinstance(value, (CallSpec, NameSpec)) and value.path.startswith("torch.nn:")


def made_equal(arguments: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments with those that a message calls equal made so."""
    if not EQUAL.search(message):
        return
    words = frozenset(re.findall(r"\w+", message))
    named = {n: v for n, v in arguments.kwargs.items() if n in words and type(v) in (int, float)}
    for value in dict.fromkeys(named.values()) if len(named) > 1 else ():
        yield Arguments(arguments.args, {**arguments.kwargs, **dict.fromkeys(named, value)})


def of_other_length(arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments with lists that a failure is about made longer or shorter."""
    if not LENGTHS.search(failure.message):
        return
    lists = {n: v for n, v in arguments.kwargs.items() if isinstance(v, list) and v}
    lengths = {len(v) for v in lists.values()}
    said = [n for n in lists if re.search(rf"\b{n}\b", failure.message)]
    for name in said or [n for n in lists if n in failure.names]:
        value = lists[name]
        if "tuple" in failure.message:
            yield arguments.with_value(str(name), TupleSpec(tuple(value)))
        is_short = "index out of range" in failure.message
        tried = (*sorted(lengths), len(value) - 1, len(value) + 1, 3, 4, 5, *LONG[: 2 * is_short])
        for length in dict.fromkeys(tried):
            longer = [*value, *[value[-1]] * length][:length]
            if longer and len(longer) != len(value) and length <= max(LONG):
                yield arguments.with_value(str(name), longer)


def of_other_kind(arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments that a failure names as lists, as numbers, or of other lengths."""
    for name in filter(arguments.kwargs.__contains__, dict.fromkeys(failure.names)):
        yield from of_other_form(arguments, name, failure)
    yield from of_other_length(arguments, failure)
    yield from with_numbers(arguments, failure)


def of_other_form(
    arguments: Arguments, name: str, failure: TrialFailure, default: Any = None
) -> Iterator[Arguments]:
    """Yield a list instead of a number where the error asks for one, and the reverse."""
    value = arguments.kwargs.get(name, default)
    if isinstance(value, (int, float)) and NOT_A_SEQUENCE.search(failure.message):
        for length in (2, 3, MOST_LISTED, 1):
            yield arguments.with_value(name, [value] * length)
    is_listed = isinstance(value, list) and all(isinstance(one, int) for one in value)
    if isinstance(value, list) and value and is_listed and INT_AS_SEQUENCE.search(failure.message):
        yield arguments.with_value(name, [[one] * 3 for one in value])
        for shape in ((), (SIDE, SIDE)):  # of a row and of a picture, without the batch
            yield arguments.with_value(name, [TupleSpec((value[0], *shape))])
    if isinstance(value, list | TupleSpec | tuple) and NOT_A_NUMBER.search(failure.message):
        items = value.items if isinstance(value, TupleSpec) else value
        if items:
            yield arguments.with_value(name, items[0])


def with_modules(arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments with a list of torch where the failure is that a plain list is no module."""
    for key, value in arguments.kwargs.items():
        if isinstance(value, list) and NO_LIST.search(failure.message):
            yield arguments.with_value(key, CallSpec("torch.nn:ModuleList", (value,)))


def without_refused(arguments: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments without the keyword that a message calls unexpected."""
    if unexpected := UNEXPECTED.search(message):
        yield arguments.without(unexpected[1])


def with_said_words(
    parameters: Collection[str], arguments: Arguments, failure: TrialFailure
) -> Iterator[Arguments]:
    """Yield the arguments with the words that a message quotes, for texts, lists of texts and what it blames."""
    given = arguments.kwargs
    texts = [name for name, value in given.items() if isinstance(value, str)]
    lists = [n for n, v in given.items() if isinstance(v, list) and v and isinstance(v[0], str)]
    blamed = [name for name in failure.names if name in parameters and name not in (*texts, *lists)]
    for word in said_words(failure.message):
        for name in [*texts, *blamed[:2]]:
            if given.get(name) != word:
                yield arguments.with_value(str(name), word)
        for name in lists:
            if word not in given[name]:  # type: ignore[operator]  # a list
                yield arguments.with_value(str(name), [word])


def said_words(message: str) -> list[str]:
    """Return the words that a message quotes or calls the only possible ones, without names of types."""
    quoted = [] if LACKING.search(message) else QUOTED.findall(message)
    listed = CHOICES.search(message)
    choices = re.findall(r"[\w\-./]+", listed[1])[:MOST_CHOICES] if listed else []
    return [*dict.fromkeys(w for w in (*quoted[:6], *choices) if w not in TYPES)]


def put_in_order(arguments: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments with numbers that a message wants in an order, such as `a < b <= c`, made so."""
    for chain in ORDER.findall(message) + [" < ".join(pair) for pair in LESS.findall(message)]:
        names = [name for name in re.findall(r"[A-Za-z_]\w*", chain) if name in arguments.kwargs]
        values = [arguments.kwargs[name] for name in names]
        if len(names) > 1 and all(type(value) in (int, float) for value in values):
            places = zip(names, values, range(1, len(names) + 1), strict=True)
            ordered = {n: float(at) if isinstance(v, float) else at for n, v, at in places}
            yield Arguments(arguments.args, {**arguments.kwargs, **ordered})


def with_layers(arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments with a layer of torch that has the attribute that a given value lacks."""
    lacking = LACKING.search(failure.message)
    for key, value in arguments.kwargs.items() if lacking else ():
        if lacking and is_of_type(value, lacking[1]):
            fitting = (layer for layer, held in _layers() if layer != value and lacking[2] in held)
            for layer in itertools.islice(fitting, MOST_LAYERS):
                yield arguments.with_value(str(key), layer)


@cache
def _layers() -> list[tuple[CallSpec, frozenset[str]]]:
    """Return layers of torch with the attributes that they have and a number has not."""
    made = [(name, sizes, vars(nn)[name](*sizes)) for name, sizes in LAYERS.items()]
    return [
        (CallSpec(f"torch.nn:{name}", sizes), frozenset(dir(layer)) - frozenset(dir(int)))
        for name, sizes, layer in made
    ]


def with_numbers(arguments: Arguments, failure: TrialFailure) -> Iterator[Arguments]:
    """Yield the arguments with a number that a message calls the only possible one, or a tensor of its rank."""
    yield from put_in_order(arguments, failure.message)
    words = frozenset(re.findall(r"\w+", failure.message.lower()))
    said = NUMBER.findall(failure.message)[:MOST_NUMBERS] if ALLOWED.search(failure.message) else []
    ranks = [int(n) for groups in RANK.findall(failure.message) for n in groups if n][:1]
    for key, value in arguments.kwargs.items():
        if type(value) in (int, float) and str(key).lower() in words:
            for text in said:
                yield arguments.with_value(str(key), float(text) if "." in text else int(text))
        if isinstance(value, TensorSpec) and (str(key) in words or str(key) in failure.names):
            for rank in ranks:
                yield arguments.with_value(str(key), replace(value, shape=(3,) * rank))


def respelled(arguments: Arguments, message: str) -> Iterator[Arguments]:
    """Yield the arguments with a text that a message refuses spelled as a class of torch is, or in capitals."""
    for key, value in arguments.kwargs.items():
        if isinstance(value, CallSpec):
            for inner in respelled(Arguments((), value.kwargs), message):
                changed = CallSpec(value.path, value.args, inner.kwargs)
                yield arguments.with_value(str(key), changed)
        if isinstance(value, str) and value and value in message:
            yield from (arguments.with_value(str(key), one) for one in _spellings(value, message))


def _spellings(text: str, message: str) -> list[str]:
    """Return the texts that may be meant by one that a message refuses."""
    named = [one for one in dir(nn) if one.lower() == text.lower()]
    found = dict.fromkeys([*named, *said_words(message), text.lower(), text.upper()])
    return [one for one in found if one != text]


def named_keywords(failure: TrialFailure) -> list[str]:
    """Return the keywords that an error asks for: a missing key, or a name that must be passed in."""
    if failure.type == "KeyError" or re.search(r"must be|required|missing|need", failure.message):
        return KEYWORD.findall(failure.message)
    return []
