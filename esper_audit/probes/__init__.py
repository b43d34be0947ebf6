"""Runs the promises of declared subjects and returns a record for each.

Public: `session` (probing a project), `units` (probing subjects), `findings`, `probe`, `formula`,
`subject_queries`.
"""
