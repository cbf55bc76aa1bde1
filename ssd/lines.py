"""Text of strangers, such as the name of a file, in a line of a message. Standard library only."""


def printable(text: str) -> str:
    """Text as a message may have it: without line ends, or what else steers a terminal.

    Args:
        text: Any.

    Returns:
        It, with an escape (as in Python) for each character that cannot be printed.

    Example:
        >>> print(printable("a\\nb"))
        a\\nb
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)
