"""The rules that read the whole tree, one in each file, which gives the rule its id."""
