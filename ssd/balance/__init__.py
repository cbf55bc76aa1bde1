"""Whether data keeps up with the device that trains: as an equation, and seen in a run."""

from ssd.balance import equation as equation
