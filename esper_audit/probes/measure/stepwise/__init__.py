"""Calling a module step by step with its cache: `cached_call`, `sequence_cut`, `program_lines`."""
