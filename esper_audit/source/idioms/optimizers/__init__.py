"""Parameters that optimizers hold, and what freezes or replaces them."""
