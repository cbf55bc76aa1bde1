# What an editor sees of the names that `distill/__init__.py` imports when they are first used.
# tests/test_types.py holds the two together.

from distill.labeling import label as label
from distill.options import Options as Options
from distill.photo_files import find_photos as find_photos
from distill.several import label_by_vote as label_by_vote
from distill.teachers.mtcnn import mtcnn as mtcnn
from distill.teachers.mtcnn import mtcnn_package as mtcnn_package
from distill.votes.agreement import group_faces as group_faces
from distill.votes.combining import combine as combine
from distill.votes.rules import Rules as Rules

__all__: list[str]
