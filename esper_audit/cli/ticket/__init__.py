"""List, show, check, review and resolve tickets.

A ticket is one YAML file. It may be edited by hand; `ticket sync` adds such edits to its history.
"""
