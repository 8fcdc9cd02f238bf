"""Virtual time: what happens when, in an order that only the seed decides."""

import heapq
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

START_AT = datetime(2026, 4, 1, tzinfo=UTC)

Act = Callable[[], None]


class Agenda:
    """Acts by their time in seconds since the start; acts of one time happen in the order they were put down.

    It also keeps what everybody wants told: `counts` of things that happened, and `lines` of a trace if wanted.
    """

    def __init__(self, *, is_traced: bool = False) -> None:
        self.now_s = 0.0
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self._is_traced = is_traced
        self._acts: list[tuple[float, int, Act]] = []
        self._number = 0

    @property
    def now_at(self) -> datetime:
        """The instant that it is."""
        return at_of(self.now_s)

    def at(self, at_s: float, act: Act) -> None:
        """Have something happen at a time, now at the earliest."""
        self._number += 1
        heapq.heappush(self._acts, (max(at_s, self.now_s), self._number, act))

    def after(self, delay_s: float, act: Act) -> None:
        """Have something happen after a while."""
        self.at(self.now_s + delay_s, act)

    def run(self, until_s: float) -> None:
        """Let everything happen until a time."""
        while self._acts and self._acts[0][0] < until_s:
            self.now_s, _, act = heapq.heappop(self._acts)
            act()
        self.now_s = until_s

    def note(self, kind: str, *told: object) -> None:
        """Count something, and say it in the trace; `told` is put together only if there is one."""
        self.counts[kind] += 1
        self.tell(kind, *told)

    def tell(self, kind: str, *told: object) -> None:
        """Say something in the trace."""
        if self._is_traced:
            self.lines.append(f"{self.now_s:9.2f} {kind} {' '.join(str(each) for each in told)}".rstrip())


def at_of(at_s: float) -> datetime:
    """Return the instant of a virtual second."""
    return START_AT + timedelta(seconds=at_s)


def since_start_s(at: datetime) -> float:
    """Return the virtual second of an instant."""
    return (at - START_AT).total_seconds()
