"""How fast one station may send: a bucket that is refilled steadily. Pure; time is an argument."""

from datetime import datetime


class RateBound:
    """A message takes one from the bucket; who finds it empty is read later, not refused.

    The bucket is refilled by the real clock, or by business time where that runs faster (a simulated day). A station
    that keeps it empty for `patience_s` without a break (until it is half full again) is flooding.
    """

    def __init__(self, rate_per_s: float, burst_count: int, patience_s: float) -> None:
        self._rate_per_s = rate_per_s
        self._burst_count = burst_count
        self._patience_s = patience_s
        self._left = float(burst_count)  # below zero: messages that were read ahead of their time
        self._refilled_s: float | None = None
        self._refilled_at: datetime | None = None
        self._empty_since_s: float | None = None

    def pause_s(self, now_s: float, now: datetime) -> float:
        """Take one message at this monotonic time and business time; return how long to wait before reading on."""
        if self._refilled_s is not None and self._refilled_at is not None:
            passed_s = max(now_s - self._refilled_s, (now - self._refilled_at).total_seconds(), 0.0)
            self._left = min(self._burst_count, self._left + passed_s * self._rate_per_s)
        self._refilled_s, self._refilled_at = now_s, now
        if self._left >= self._burst_count / 2:
            self._empty_since_s = None
        self._left -= 1
        if self._left >= 0:
            return 0.0
        if self._empty_since_s is None:
            self._empty_since_s = now_s
        return -self._left / self._rate_per_s

    def is_flooding(self, now_s: float) -> bool:
        """Whether the bucket has been empty for longer than our patience."""
        return self._empty_since_s is not None and now_s - self._empty_since_s > self._patience_s
