"""The rules that read the whole tree, one a file; the name of the file is the id of the rule."""
