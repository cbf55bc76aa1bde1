"""How good a model is, and why it differs on a device."""
