"""`ssd coco`: labels as other tools read them."""

from ssd.commands.to_file import to_file


def _write(labels, out):
    from ssd.data import coco

    return coco.write(labels, out)


COMMAND = to_file("coco", "Write labels as COCO detection JSON.", "JSON", _write)
