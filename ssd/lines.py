"""Text of strangers, such as the name of a file, in a line of a message. Standard library only."""


def printable(text: str) -> str:
    """Text as a message may have it: without line ends, or what else steers a terminal.

    Args:
        text: Any.

    Returns:
        It, with a replacement character for each that cannot be printed.

    Example:
        >>> printable("a\\nb").isprintable()
        True
    """
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
