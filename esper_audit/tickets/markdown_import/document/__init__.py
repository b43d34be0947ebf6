"""A Markdown document: sections, blocks, tables, labelled values."""
