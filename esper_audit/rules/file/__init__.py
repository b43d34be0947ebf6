"""The rules that read one file, by family; the name of the file is the id of the rule."""
