"""The kinds of claims, one a file, found by looking into this folder."""
