"""Recognising a finding that was found before, after edits and moves.

Public: `fingerprint`, `observation`, `matcher`, `baseline`.
"""
