"""How PyTorch code writes certain things, one family a folder, for the rules of that family."""
