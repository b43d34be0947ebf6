"""The import of files into tickets: which reader takes a file, its tickets, and the report of an import."""
