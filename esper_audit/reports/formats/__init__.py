"""The output formats, one in a file: each has `render(audit, catalogue) -> str`."""
