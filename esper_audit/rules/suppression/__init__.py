"""Exceptions from rules: comments, entries of the configuration and expected failures.

`suppressions` applies them to the findings of a file; `expected_failures` to the records of probes.
"""
