"""Where frames come from: photos, folders, videos, cameras and streams."""
