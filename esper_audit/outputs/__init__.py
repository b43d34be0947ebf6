"""The shelf of output formats: one a file, each with `render(audit, handbook) -> str`."""
