"""Attention calls and their masks, the axes of tensors, and what a softmax normalises."""
