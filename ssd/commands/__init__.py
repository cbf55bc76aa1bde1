"""The commands of `ssd`, one file each: `add` says what its arguments are, `run` does its work.

A command imports what is heavy in `run`, after its arguments were found to be right; `detect`
imports nothing that a board does not have.
"""
