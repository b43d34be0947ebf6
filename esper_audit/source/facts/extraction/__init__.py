"""From the `ast` of a file to its facts: handlers by node type, a builder, the access paths of expressions.

Public: `extract`, `expression_paths`.
"""
