"""What whole-program rules need to know: the uses of a definition, and what may use it unseen.

Public: `tree`.
"""
