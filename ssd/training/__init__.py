"""A training run that can be stopped anywhere and goes on where it was."""
