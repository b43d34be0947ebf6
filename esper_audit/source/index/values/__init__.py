"""What an access path leads to: `value` (its type), `annotations` and `known_libraries` (their values)."""
