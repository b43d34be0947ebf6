"""Ranks and collectives of distributed training."""
