"""The rules that read one file, one folder for each family; the file gives the rule its id."""
