"""Pictures of an audit as SVG, the same bytes for the same audit.

Public: `audit_pictures`.
"""
