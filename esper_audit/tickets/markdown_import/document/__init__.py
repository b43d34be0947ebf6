"""Parsing a Markdown document into sections, blocks, tables and labelled values."""
