"""Who says where faces are: one file a teacher, photos in, boxes and scores out."""
