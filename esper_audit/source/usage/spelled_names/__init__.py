"""Names that no syntax refers to: composed for a dynamic look-up, or written in a string or a text.

Public: `dynamic_names`, `text_mentions`.
"""
