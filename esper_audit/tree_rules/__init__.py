"""The shelf of tree rules: one a file, found by looking into this folder."""
