"""Rules about numbers: norms, ratios, averages, probabilities and what becomes NaN."""
