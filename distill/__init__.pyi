# What an editor sees of the names that `distill/__init__.py` imports when they are first used.
# tests/test_types.py holds the two together.

from distill.agreement import group_faces as group_faces
from distill.combining import combine as combine
from distill.labeling import label as label
from distill.options import Options as Options
from distill.photo_files import find_photos as find_photos
from distill.rules import Rules as Rules
from distill.several import label_by_vote as label_by_vote
from distill.teacher import mtcnn as mtcnn
from distill.teacher import mtcnn_package as mtcnn_package

__all__: list[str]
