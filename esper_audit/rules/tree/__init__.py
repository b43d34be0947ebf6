"""The rules that read the whole tree, one in each file."""
