"""List tickets, show them, bring them up to date, review and resolve them.

A ticket is one YAML file. People may edit it by hand; `ticket sync` notes what they changed.
"""
