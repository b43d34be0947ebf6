"""The rules that read one file, in one folder for each family."""
