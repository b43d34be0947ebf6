"""YAML files changed in place: what a person wrote stays byte for byte.

Public: `load`, `patch`, `emit`.
"""
