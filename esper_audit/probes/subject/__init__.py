"""Subjects of probes: their kinds, inputs, states and promises.

Public: `subject`, `kinds`, `inputs`, `loading`.
"""
