"""The first configuration of a tree.

Public: `initial_configuration`, and the marks of a tree that it is made from, `tree_marks`.
"""
