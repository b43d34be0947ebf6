"""Rules about numbers: norms, ratios, averages."""
