"""Whether a finding is the one that was seen before.

Public: `fingerprint`, `observation`, `matcher`, `baseline`.
"""
