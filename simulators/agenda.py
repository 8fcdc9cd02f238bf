"""What is due when, in business time."""

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(order=True, slots=True)
class Entry:
    """One thing to do; cancel it by setting `is_cancelled`."""

    at_s: int
    number: int
    action: Callable[[], None] = field(compare=False)
    is_cancelled: bool = field(default=False, compare=False)


class Agenda:
    """Entries in the order of their time, and of their making within one second."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._numbers = itertools.count()

    def at(self, at_s: int, action: Callable[[], None]) -> Entry:
        """Do `action` when business time has reached `at_s`."""
        entry = Entry(at_s, next(self._numbers), action)
        heapq.heappush(self._entries, entry)
        return entry

    def next_s(self) -> int | None:
        """Return when the next entry is due; None if there is none."""
        while self._entries and self._entries[0].is_cancelled:
            heapq.heappop(self._entries)
        return self._entries[0].at_s if self._entries else None

    def due(self, now_s: int) -> Iterator[Entry]:
        """Take out, one by one, what is due (also what becomes due meanwhile)."""
        while (at_s := self.next_s()) is not None and at_s <= now_s:
            yield heapq.heappop(self._entries)
