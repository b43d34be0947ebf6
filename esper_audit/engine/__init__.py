"""From files to findings: triggers, `ast` pass, LibCST pass, whole-program pass, fixes, impact.

Public: `pipeline` (the order of a check), `file_checker`, `tree_engine`, `fixes`, `impact`.
"""
