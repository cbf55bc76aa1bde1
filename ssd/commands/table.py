"""`ssd csv`: labels as a table."""

from ssd.commands.to_file import to_file


def _write(labels, out):
    from ssd.data import table

    return table.write(labels, out)


COMMAND = to_file("csv", "Write labels as CSV, a row for each box.", "CSV", _write)
