"""What a whole-program rule asks: who uses a definition, and what may use it unseen.

Public: `tree`.
"""
