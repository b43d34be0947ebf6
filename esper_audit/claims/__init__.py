"""A sentence of a ticket with a query, and its answer.

Public: `claim` (the keys of every claim), `records` (the kinds as data), `reply`, `needs`, `context`
(what an answer may read of the project), `registry` (answers a claim of any kind).
"""
