"""Stations' clocks: what they write is believed only within bounds, else the time of arrival stands in for it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

AHEAD = timedelta(minutes=5)
OLDEST = timedelta(days=30)
OLDEST_LIVE = timedelta(hours=1)
REPLAYED_AFTER = timedelta(minutes=5)
LONGEST_COUNT = 40
UNREADABLE = "the timestamp cannot be read"
AHEAD_OF_US = "the timestamp lies in the future"
TOO_OLD = "the timestamp lies too far back"
DOUBTS = {UNREADABLE, AHEAD_OF_US, TOO_OLD}


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant to work with; `doubt` says why it is not the station's own (empty if it is)."""

    at: datetime
    doubt: str = ""


def believe(text: Any, received_at: datetime, oldest: timedelta = OLDEST) -> Moment:
    """Return the station's instant, or `received_at` with the reason why not.

    Nothing is believed that lies more than 5 minutes ahead or longer ago than `oldest`. A time without a zone is read
    as UTC where that makes it recent, and doubted otherwise.
    """
    if text is None:
        return Moment(received_at)
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) and len(text) <= LONGEST_COUNT else None
        if at is None:
            return Moment(received_at, UNREADABLE)
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
            oldest = min(oldest, AHEAD)
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        return Moment(received_at, UNREADABLE)
    if at > received_at + AHEAD:
        return Moment(received_at, AHEAD_OF_US)
    if at < received_at - oldest:
        return Moment(received_at, TOO_OLD)
    return Moment(at)


def is_replay(at: datetime, received_at: datetime) -> bool:
    """Whether a message that does not say so itself must have waited while the station was offline."""
    return received_at - at > REPLAYED_AFTER


def stamp(at: datetime) -> str:
    """Spell an instant as both dialects do (RFC 3339, UTC, milliseconds)."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
