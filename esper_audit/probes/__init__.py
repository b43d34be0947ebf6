"""From promises to records: probes, their session, their jobs.

Public: `probe`, `session`, `findings`, `formula`, `subject_queries`.
"""
