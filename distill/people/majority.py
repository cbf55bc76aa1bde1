"""What most of several people say."""

import collections
from collections.abc import Hashable, Sequence
from typing import TypeVar

Said = TypeVar("Said", bound=Hashable)


def majority(said: Sequence[Said]) -> Said | None:
    """What more than half say: of two both, of three two, of four three.

    Args:
        said: What each of them says.

    Returns:
        What most say, or None if that is nothing.

    Example:
        >>> majority(["smile", "smile", "none"]), majority(["smile", "none"]), majority(["none"])
        ('smile', None, 'none')
    """
    for answer, count in collections.Counter(said).most_common(1):
        if count > len(said) // 2:
            return answer
    return None
