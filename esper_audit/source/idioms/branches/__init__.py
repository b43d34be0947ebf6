"""Branch conditions and the facts that decide them."""
