"""Which part of the work each of several processes has."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Which members of a model a process learns, and from which lanes of a batch.

    As many processes as possible share the members, which needs no word between them. Those that have the same members
    share the lanes: with 2 members and 4 processes, the first two have member 0, and half of the lanes each.

    Args:
        number, count: of the process, and how many there are.
        all_members, all_lanes: how many there are to share.
    """

    number: int
    count: int
    all_members: int
    all_lanes: int

    @property
    def groups(self) -> int:
        """How many parts the members are in."""
        return math.gcd(self.all_members, self.count)

    @property
    def parts(self) -> int:
        """How many processes have the same members, with a part of the lanes each."""
        return self.count // self.groups

    @property
    def group(self) -> int:
        """Which part of the members. Neighbours, often on one machine, have the same."""
        return self.number // self.parts

    @property
    def members(self) -> range:
        """The numbers of the members."""
        each = self.all_members // self.groups
        return range(self.group * each, (self.group + 1) * each)

    @property
    def lanes(self) -> slice:
        """The lanes; none where there are more processes than lanes."""
        part = self.number % self.parts
        return slice(part * self.all_lanes // self.parts, (part + 1) * self.all_lanes // self.parts)

    @property
    def rows(self) -> int:
        """How many lanes."""
        rows: int = self.lanes.stop - self.lanes.start
        return rows

    @property
    def of_lanes(self) -> float:
        """Its lanes as a share of all."""
        return self.rows / self.all_lanes

    @property
    def of_all(self) -> float:
        """What it learns from a batch, as a share of what all learn."""
        return self.of_lanes * len(self.members) / self.all_members

    def owner(self, member: int) -> int:
        """The first process that has a member."""
        return member // len(self.members) * self.parts

    def __str__(self) -> str:
        members = f"{len(self.members)} of {self.all_members} members" if self.groups > 1 else ""
        lanes = f"about {self.all_lanes / self.parts:g} of {self.all_lanes} lanes" if self.parts > 1 else ""
        return f"{self.count} processes, each with {' and '.join(filter(None, (members, lanes)))}"
