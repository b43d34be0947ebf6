"""The shelf of rules: one rule a file, found by looking, never listed."""
