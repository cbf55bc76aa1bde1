"""What griffe has to be told about this project's docstrings, for the API page.

A section of doctests is headed "Example:" here, as in Google's own guide. Griffe runs together
what stands under that word and reads doctests under "Examples:" alone.
"""

from griffe import Extension


class Examples(Extension):
    """Shows a section "Example:" as a section "Examples:"."""

    def on_instance(self, *, obj, **_):
        """Called by griffe with each object it has read."""
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")
