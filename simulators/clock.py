"""Business time of the simulation: whole seconds since 1970 (UTC), stepped by whoever conducts it."""

import time
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """Business time that moves only when told; `now_s` is in seconds since 1970."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def move_to(self, now_s: int) -> None:
        """Set the time, never backwards (ValueError)."""
        if now_s < self.now_s:
            raise ValueError("business time cannot run backwards")
        self.now_s = now_s


def wall_s() -> int:
    """Return the time of day in whole seconds since 1970."""
    return int(time.time())


@lru_cache(maxsize=256)
def stamp(at_s: int) -> str:
    """Return ISO 8601 in UTC, as stations write it."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(text: str) -> int:
    """Return the whole second of an ISO 8601 time (without zone: UTC); raises ValueError when it is none."""
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
