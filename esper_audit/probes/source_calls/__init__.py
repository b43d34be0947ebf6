"""Recipes from calls in source text: `call_sites` reads code and prose, `source_reader` one Python text."""
