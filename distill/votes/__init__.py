"""Several raters' labels of the same photos, put to the vote."""
