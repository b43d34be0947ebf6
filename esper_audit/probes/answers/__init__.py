"""Results of earlier runs: `unit_cache`, what they depend on (`used_files`), of classes and of declared subjects."""
