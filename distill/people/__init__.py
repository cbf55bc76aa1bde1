"""What several people said of photos or crops, put to the vote."""
