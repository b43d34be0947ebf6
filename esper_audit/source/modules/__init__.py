"""The modules of a tree: `module_names` (imports to files), `import_statements`, `import_roots`."""
