"""What may be probed: subjects, their kinds, inputs and states.

Public: `subject`, `kinds`, `inputs`, `loading`.
"""
