"""How far a station's clock is off, as heard on one connection; its reconcile loop writes it down (rule R6)."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from app.domain.facts import Fact, Metered, SessionEnded, SessionStarted, SessionUpdated, StatusReported, Suspicious
from app.ocpp_central.moments import DOUBTS, UNREADABLE
from app.scheduling.lateness import Lateness

TIMED = (Metered, SessionStarted, SessionUpdated, SessionEnded)


class StationClock:
    """Hears what is told live; `changed` is called when leases may end later, or less late, than was known."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lateness = Lateness()

    @property
    def slack(self) -> timedelta | None:
        """How much later than meant the station's leases may end; None while nothing is known."""
        return self._lateness.slack

    def recall(self, slack: timedelta | None) -> None:
        """Begin with what earlier connections have shown."""
        if self._lateness.slack is None:
            self._lateness = Lateness(slack)

    def hear(self, facts: Sequence[Fact], received_at: datetime) -> None:
        """Take in the times of one message."""
        doubts = DOUBTS & {fact.reason for fact in facts if isinstance(fact, Suspicious)}
        written = [fact.at for fact in facts if _is_timed(fact)]
        if doubts == {UNREADABLE} or not (doubts or written):
            return
        before = self._lateness.slack
        behind = None if doubts else received_at - max(written)
        self._lateness = self._lateness.heard(behind, received_at)
        if self._lateness.slack != before:
            self._changed()


def _is_timed(fact: Fact) -> bool:
    """Whether its time was written by the station's clock as it was sent."""
    if isinstance(fact, StatusReported):
        return fact.at != fact.received_at  # OCPP 1.6 may leave it out
    return isinstance(fact, TIMED) and not getattr(fact, "offline", False)
