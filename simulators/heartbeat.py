"""Heartbeats: sent only when nothing else was for an interval (OCPP 1.6 §4.6, OCPP 2.0.1 G02)."""

from collections.abc import Callable

from simulators.agenda import Agenda, Entry
from simulators.clock import Clock

DEFAULT_INTERVAL_S = 300


class Heartbeat:
    """Calls `beat` when an interval (business time) has passed without a message of ours; `beat` counts as one."""

    def __init__(self, clock: Clock, agenda: Agenda, beat: Callable[[], None]) -> None:
        self.interval_s = DEFAULT_INTERVAL_S
        self._clock = clock
        self._agenda = agenda
        self._beat = beat
        self._last_s = clock.now_s
        self._entry: Entry | None = None

    def sent(self) -> None:
        """A message has left."""
        self._last_s = self._clock.now_s

    def plan(self, interval_s: int | None = None) -> None:
        """Start over, with another interval if one is given."""
        if interval_s is not None:
            self.interval_s = max(1, interval_s)
        if self._entry is not None:
            self._entry.is_cancelled = True
        self._entry = self._agenda.at(self._clock.now_s + self.interval_s, self._due)

    def _due(self) -> None:
        quiet_s = self._clock.now_s - self._last_s
        if quiet_s < self.interval_s:
            self._entry = self._agenda.at(self._last_s + self.interval_s, self._due)
            return
        self._beat()
        self.plan()
