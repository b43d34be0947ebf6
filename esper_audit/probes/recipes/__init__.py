"""Recipes: how a module is made and fed, as plain data.

Public: `recipe` (the record), `values` (the values in it), `materialise`, `source_text`, `plain_data`.
"""
