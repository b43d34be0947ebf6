"""The claims that plain phrases of a ticket imply: never used, no test, unused parameter, defaults to.

A phrase counts if its sentence names the symbol in question, and neither doubts nor limits the statement.
Reviews do not count: they judge the ticket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from esper_audit.tickets.parts import TicketLocation
from esper_audit.tickets.ticket import Ticket

FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1[^\n]*$", re.MULTILINE | re.DOTALL)
SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\s*\n|\n\s*(?=[-*+]\s|\d+[.)]\s)")
CODE = re.compile(r"`(?P<code>[A-Za-z_][\w.]*)(?:\(\))?`")
PLAIN_CODE = re.compile(r"(?<![\w`./])(?P<code>[A-Za-z]\w*(?:_\w+|\.[A-Za-z_]\w*)+|[a-z]+[A-Z]\w*)")
DOUBT = re.compile(
    r"\b(?:may|might|could|if|should|would|can|probably|possibly|likely|not dead|unless|appears?|seems?|"
    r"suspect\w*|almost|rarely|was|were|will|when|because|since|check|verify|whether)\b|\?",
    re.IGNORECASE,
)
NO_PARAMETER_USE = re.compile(
    r"\bunused\b|\bnever (?:used|read|referenced|accessed)\b|\b(?:is|are) not used\b|\bignored\b",
    re.IGNORECASE,
)
PARAMETER = re.compile(r"\b(?:parameter|argument)\b", re.IGNORECASE)
FIELD = re.compile(r"\b(?:field|attribute|member)\b", re.IGNORECASE)
NOT_READ = re.compile(
    r"\bnever read\b|\b(?:is|are) not read\b|\bunread\b|\bunused\b|\bno readers?\b", re.IGNORECASE
)
NO_USE = re.compile(
    r"\bnever (?:called|used|invoked|referenced|instantiated|imported)\b|\b(?:is|are) (?:unused|dead code|dead)\b|"
    r"\bhas no (?:callers?|users?|usages?|uses)\b|\bnot (?:called|used|referenced) anywhere\b",
    re.IGNORECASE,
)
NO_TEST = re.compile(
    r"\b(?:has|have) no (?:unit )?tests?\b|\b(?:is|are) (?:untested|not tested)\b|"
    r"\bno (?:unit )?tests? (?:for|of|cover)\b",
    re.IGNORECASE,
)
# What follows limits the statement to a part of the program.
LIMIT = re.compile(
    r"^\W*(?:in|from|by|within|during|inside|outside|for|on|under|at|after|before|except|until|yet)\b",
    re.I,
)
DEFAULT = re.compile(
    r"`(?P<name>[A-Za-z_]\w*)`(?: parameter| argument)? defaults? to `(?P<value>[^`]+)`"
    r"|default (?:value )?(?:of|for) `(?P<other>[A-Za-z_]\w*)`(?: parameter| argument)? is "
    r"`(?P<other_value>[^`]+)`",
    re.IGNORECASE,
)
Query = dict[str, Any]


def phrase_claims(ticket: Ticket) -> Iterator[Query]:
    """Yield the queries that the title, the summary and the description of a ticket imply, each once."""
    texts = (ticket.title, ticket.summary, FENCE.sub("\n\n", ticket.description))
    sentences = [" ".join(one.split()) for text in texts for one in SENTENCE.split(text)]
    seen: list[Query] = []
    for query in (query for one in sentences for query in _queries(one, ticket.locations)):
        content = {key: value for key, value in query.items() if key != "sentence"}
        if content not in seen:
            seen.append(content)
            yield query


def _queries(sentence: str, places: list[TicketLocation]) -> Iterator[Query]:
    if not places or DOUBT.search(sentence):
        return
    for match in DEFAULT.finditer(sentence):
        name, value = match["name"] or match["other"], match["value"] or match["other_value"]
        for address in _functions(places):
            yield _claim("parameter", sentence, of=address, argument=name, default=value)
    if PARAMETER.search(sentence) and NO_PARAMETER_USE.search(sentence):
        yield from _parameters(sentence, places)
    elif FIELD.search(sentence) and NOT_READ.search(sentence):
        for name in _names(sentence):
            yield _unread(name, sentence, places)
    else:
        yield from _symbols(sentence, places)


def _unread(name: str, sentence: str, places: list[TicketLocation]) -> Query:
    """Return the claim that a field is not read: of its class if the ticket locates it, else of any object."""
    *owners, field = name.split(".")
    for place in places:
        parts = place.symbol.split(".")
        if owners and owners[-1] in parts:
            owner = ".".join(parts[: parts.index(owners[-1]) + 1])
            return _claim(
                "references", sentence, of=f"{place.path}:{owner}.{field}", **{"is": "unused"}
            )
    return _claim("readers", sentence, of=field, count=0)


def _parameters(sentence: str, places: list[TicketLocation]) -> Iterator[Query]:
    """Yield a claim for each name in code marks that is no located symbol, in each located function."""
    functions = _functions(places)
    own = {part for place in places for part in place.symbol.split(".")}
    named = [name for name in _names(sentence) if name not in own and "." not in name]
    for name in named[:1]:
        for address in functions:
            yield _claim("parameter", sentence, of=address, argument=name, **{"is": "unused"})


def _symbols(sentence: str, places: list[TicketLocation]) -> Iterator[Query]:
    for pattern, usage in ((NO_USE, "unused"), (NO_TEST, "untested")):
        found = pattern.search(sentence)
        if found is None or LIMIT.match(sentence[found.end() :]):
            continue
        behind = found[0].lower().endswith(("for", "of", "cover"))
        part = sentence[found.end() :] if behind else sentence[: found.start()]
        for address in _addresses(part, places):
            yield _claim("references", sentence, of=address, **{"is": usage})


def _addresses(part: str, places: list[TicketLocation]) -> list[str]:
    """Return the address of the symbol that a part of a sentence names, if the ticket locates it."""
    for name in _names(part)[-1:]:
        for place in places:
            is_same = place.symbol == name or place.symbol.endswith(f".{name}")
            if is_same or (name.endswith(f".{place.symbol}") and place.symbol):
                return [f"{place.path}:{place.symbol}"]
    return []


def _functions(places: list[TicketLocation]) -> list[str]:
    return list(dict.fromkeys(f"{place.path}:{place.symbol}" for place in places if place.symbol))


def _names(text: str) -> list[str]:
    """Return the names of code in a text: those in code marks, else those that look like code."""
    marked = [match["code"] for match in CODE.finditer(text)]
    return marked or [match["code"] for match in PLAIN_CODE.finditer(text)]


def _claim(kind: str, sentence: str, **query: Any) -> Query:
    return {"kind": kind, "sentence": sentence, **query}
