"""How a module runs: its precision, its devices, its processes, and the line that raises."""
