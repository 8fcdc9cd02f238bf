"""How late a station's leases may end: its clock's offset, from the times that it writes into what it tells live.

What arrives at `received_at` was written at `at` by the station's clock; the difference is how far that is behind, and
the way here. A clock that is ahead ends leases early, which harms nobody. Queued messages look like a clock that is
behind, so one that is far behind has to look so all the time. The worst of the recent counts (site-limit rule R6).
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

APPLY_DELAY = timedelta(seconds=30)  # has been seen
FARTHEST = timedelta(minutes=5)
TOO_FAR = timedelta(hours=1)
WINDOW = timedelta(minutes=10)
STEP_S = 5.0


def is_usable(slack: timedelta | None) -> bool:
    """Whether leases can be given to a station with this slack: its clock is known, and not absurd."""
    return slack is not None and slack <= APPLY_DELAY + FARTHEST


@dataclass(frozen=True, slots=True)
class Lateness:
    """What was heard of a station's clock. `slack` is how much later than meant its leases may end (None: unknown).

    `since_at` is when the present window began, `worst` the largest offset of it that is believable, `is_far` whether
    there was an unbelievable one.
    """

    slack: timedelta | None = None
    since_at: datetime | None = None
    worst: timedelta | None = None
    is_far: bool = False

    def heard(self, behind: timedelta | None, now: datetime) -> "Lateness":
        """Return what is known after a message that was written so far behind our clock (None: absurdly)."""
        after = self._closed(now) if self.since_at is not None and now - self.since_at >= WINDOW else self
        after = replace(after, since_at=after.since_at or now)
        if behind is None or behind > FARTHEST:
            return replace(after, is_far=True, slack=TOO_FAR if after.slack is None else after.slack)
        slack = _slack(behind)
        is_new = after.slack is None or not is_usable(after.slack) or slack > after.slack
        worst = behind if after.worst is None else max(after.worst, behind)
        return replace(after, worst=worst, slack=slack if is_new else after.slack)

    def _closed(self, now: datetime) -> "Lateness":
        """Return what the window says: the worst that is believable, else that the clock is too far off."""
        if self.worst is not None:
            return Lateness(_slack(self.worst), now)
        return Lateness(TOO_FAR if self.is_far else self.slack, now)


def _slack(behind: timedelta) -> timedelta:
    """Return the slack for an offset, in steps, so that it rarely changes."""
    behind_s = max(0.0, behind.total_seconds() - 1.0)  # the way here
    return APPLY_DELAY + timedelta(seconds=STEP_S * math.ceil(behind_s / STEP_S))
