"""How good labels are, told from a sample that people judged."""
