"""What becomes of what was found: files of results, pictures, videos, a window. One file each."""
