"""What docstrings say of parameters, defaults and shapes."""
