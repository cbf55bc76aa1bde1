"""From clock readings to what a loop waited for; plain arithmetic, no clock is read here."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

HANDED_OVER = 5e-4  # seconds in which a batch that is there gets into the loop


class Delivery(NamedTuple):
    """One batch on its way into a loop.

    Attributes:
        asked: When the loop asked for it, in seconds of any clock.
        ready: When it had it.
        examples: How many examples it has; 0 if that is not known.

    Example:
        >>> Delivery(10.0, 10.2, 32).examples
        32
    """

    asked: float
    ready: float
    examples: int = 0


@dataclasses.dataclass
class Spent:
    """Where the time of some steps went, in seconds.

    Attributes:
        steps: How many steps.
        batches: Batches that came for them.
        examples: Examples in them; 0 if that is not known.
        total: All their time: the three below, and what the loop itself took.
        waiting: The device had nothing to do, for the next batch was not there.
        device: The device worked.
        delivering: The loop stood still between asking for a batch and having it, whatever the
            device did meanwhile.

    Example:
        >>> Spent(steps=2, total=0.4, waiting=0.1).share
        0.25
    """

    steps: int = 0
    batches: int = 0
    examples: int = 0
    total: float = 0.0
    waiting: float = 0.0
    device: float = 0.0
    delivering: float = 0.0

    @property
    def share(self) -> float:
        """The part of the time in which the device waited for data, from 0 to 1."""
        return self.waiting / self.total if self.total > 0 else 0.0

    def add(
        self, previous: float, ended: float, deliveries: Sequence[Delivery], *, ahead: bool
    ) -> None:
        """Count one call of the train step, of one step or of several.

        The device works on a batch once the batch is there and the step before is done. So the
        time of a step is at most what is left from then on, shared by the steps that had to fit
        in; and what it did not work of the time in which a batch was made for it, it waited.

        A batch is made from when it is asked for or, by a pipeline that works ahead, all the time:
        then the device has waited since it was done, also while the loop was about to ask. Unless
        the batch was there when it was asked for: then it has waited for the loop.

        Args:
            previous: When the device was done with what came before.
            ended: When it was done with this.
            deliveries: The batches of the call, in order; none if they had come before.
            ahead: Whether batches are made while the device works.
        """
        count = max(1, len(deliveries))
        rooms = [
            (ended - max(batch.ready, previous)) / (count - index)
            for index, batch in enumerate(deliveries)
        ]
        step = max(0.0, min(rooms, default=ended - previous))
        since = previous
        if deliveries and not (ahead and deliveries[0].ready - deliveries[0].asked > HANDED_OVER):
            since = max(deliveries[0].asked, previous)
        self.steps += count
        self.batches += len(deliveries)
        self.examples += sum(batch.examples for batch in deliveries)
        self.total += max(0.0, ended - previous)
        self.device += step * count
        self.waiting += max(0.0, ended - since - step * count)
        self.delivering += sum(batch.ready - batch.asked for batch in deliveries)
