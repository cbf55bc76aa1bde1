"""Labels for a folder of photos from a teacher that is too slow for the job itself."""
