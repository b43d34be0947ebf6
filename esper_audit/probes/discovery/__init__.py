"""Discovery: which module classes a package has, and by which recipes they can be built and run.

Public: `targets` (what to import), `classes`, `trial` (the search for a recipe).
"""
