"""The output formats, one a file: each has `render(audit, catalogue) -> str`."""
