"""After export: a photo in, boxes out. NumPy and a LiteRT runtime, nothing else."""
