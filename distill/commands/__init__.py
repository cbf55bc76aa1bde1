"""The commands of `distill`, one file each, which ends in its `COMMAND`.

A command imports what is heavy when its work begins, after its arguments were found to be right.
"""
