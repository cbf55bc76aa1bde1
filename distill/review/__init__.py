"""The page on which a person checks labels, and the marks that come back from it."""
