"""Who owns a private attribute."""
