"""The site's own measuring: power per second, solar use, the limit. It counts; nothing here decides."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.clock import stamp

WINDOW_S = 10
TOLERANCE_W = 1.0
AT_LIMIT_SHARE = 0.97
MINUTE_S = 60

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Steps:
    """Powers in W that hold for `step_s` each, from `starts_s` on."""

    starts_s: int
    step_s: int
    power_w: Series

    def power_w_at(self, at_s: int) -> float:
        """Return the power at an instant; 0 outside."""
        index = (at_s - self.starts_s) // self.step_s
        return float(self.power_w[index]) if 0 <= index < len(self.power_w) else 0.0

    def by_second(self, starts_s: int, ends_s: int) -> Series:
        """Return the power of every second of `[starts_s, ends_s)`; 0 outside the steps."""
        indices = (np.arange(starts_s, ends_s) - self.starts_s) // self.step_s
        inside = (indices >= 0) & (indices < len(self.power_w))
        powers = self.power_w[np.clip(indices, 0, len(self.power_w) - 1)]
        return np.where(inside, powers, 0.0)


@dataclass(slots=True)
class Episode:
    """One stretch during which the 10-second mean was above the limit."""

    began_s: int
    duration_s: int
    peak_w: float

    def told(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"at": stamp(self.began_s), "duration_s": self.duration_s, "peak_w": round(self.peak_w, 1)}


class SiteMeter:
    """Counts what all cars together draw over `[starts_s, ends_s)`, second by second.

    `limit_w` holds for the mean of `WINDOW_S` seconds; `surplus_w` is the sun's surplus of every second.
    """

    def __init__(self, starts_s: int, ends_s: int, surplus: Steps, limit_w: float) -> None:
        self.starts_s = starts_s
        self.limit_w = limit_w
        self.ev_w: Series = np.zeros(ends_s - starts_s)
        self.surplus_w = surplus.by_second(starts_s, ends_s)
        self.delivered_wh = 0.0
        self.solar_wh = 0.0
        self.peak_w = 0.0
        self.at_limit_s = 0
        self.over_limit_s = 0
        self.episodes: list[Episode] = []
        self._counted_s = 0

    @property
    def grid_wh(self) -> float:
        """What the sun's surplus did not cover."""
        return self.delivered_wh - self.solar_wh

    def record(self, at_s: int, powers_w: list[float]) -> None:
        """Take note of the powers of consecutive seconds from `at_s` on; what lies outside the span is ignored."""
        first = at_s - self.starts_s
        room = len(self.ev_w) - first
        if first >= 0 and room > 0:
            self.ev_w[first : first + len(powers_w)] = powers_w[:room]

    def count(self, until_s: int) -> None:
        """Bring all counts up to `until_s` (exclusive)."""
        first, last = self._counted_s, min(until_s - self.starts_s, len(self.ev_w))
        if last <= first:
            return
        ev_w, surplus_w = self.ev_w[first:last], self.surplus_w[first:last]
        self.delivered_wh += float(ev_w.sum()) / 3600
        self.solar_wh += float(np.minimum(ev_w, surplus_w).sum()) / 3600
        before = self.ev_w[max(0, first - WINDOW_S + 1) : first]
        padded = np.concatenate([np.zeros(WINDOW_S - 1 - len(before)), before, ev_w])
        mean_w = np.convolve(padded, np.full(WINDOW_S, 1 / WINDOW_S), mode="valid")
        self.peak_w = max(self.peak_w, float(mean_w.max()))
        self.at_limit_s += int((mean_w >= AT_LIMIT_SHARE * self.limit_w).sum())
        over = mean_w > self.limit_w + TOLERANCE_W
        self.over_limit_s += int(over.sum())
        for offset in np.flatnonzero(over):
            self._over(self.starts_s + first + int(offset), float(mean_w[offset]))
        self._counted_s = last

    def _over(self, at_s: int, mean_w: float) -> None:
        last = self.episodes[-1] if self.episodes else None
        if last is not None and last.began_s + last.duration_s == at_s:
            last.duration_s += 1
            last.peak_w = max(last.peak_w, mean_w)
        else:
            self.episodes.append(Episode(at_s, 1, mean_w))

    def minutes(self) -> list[dict[str, Any]]:
        """Return the means of every minute, for plots."""
        whole = len(self.ev_w) // MINUTE_S * MINUTE_S
        ev_w = self.ev_w[:whole].reshape(-1, MINUTE_S).mean(axis=1)
        surplus_w = self.surplus_w[:whole].reshape(-1, MINUTE_S).mean(axis=1)
        return [
            {"at": stamp(self.starts_s + MINUTE_S * n), "ev_w": round(float(power_w), 1), "surplus_w": round(sun_w, 1)}
            for n, (power_w, sun_w) in enumerate(zip(ev_w, surplus_w.tolist(), strict=True))
        ]
