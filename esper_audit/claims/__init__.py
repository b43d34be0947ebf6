"""A sentence of a ticket with a query, and its answer.

Public: `claim` (the record), `reply`, `needs`, `context` (what a claim may ask), `registry` (the kinds).
"""
