"""Uncontrolled load: what each row of the electrical tree is counted with (B⁺), from the meters and their health.

B⁺ = min(reserve, measured + ΔB) where ΔB is given and the meter is healthy, else the reserve (design: site limit).
ΔB bounds how much the load may rise until a reduction is in force for certain. A fall is believed only after STEADY,
so that a meter that dies at a low value is found out before anybody was allowed what it seemed to leave: what is
measured is the highest value of the last STEADY. What the sun gives is not taken off: an inverter may trip.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from app.domain.snapshot import SiteSpec
from app.domain.wiring import Conductor
from app.scheduling.feeders import Loads, RowKey

STALE = timedelta(seconds=10)
STEADY = timedelta(seconds=30)
REMEMBERED = timedelta(minutes=15)
MEAN_OVER = timedelta(seconds=10)
FROZEN_COUNT = 4  # as many as STEADY has at the slowest pace that is not sparse
NOISE_SHARE = 0.01
ABSURD_FACTOR = 20.0
REFUSED = "site reading"
SITE: RowKey = (None, None)

Amount = float
"""In A or W, as the row's key says."""

Sample = tuple[datetime, Amount]
"""When it was heard, and the value."""


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What the site's meters said: means until `at`, in W; `loads` and `totals` per feeder row in A or W.

    `grid_w` is what everything together, cars included, draws from the grid (negative: fed in), None: not measured.
    `loads` are without cars, `totals` with them.
    """

    at: datetime
    received_at: datetime
    pv_w: float
    building_w: float
    grid_w: float | None = None
    loads: Loads = field(default_factory=dict)
    totals: Loads = field(default_factory=dict)

    @property
    def heard_at(self) -> datetime:
        """The instant it surely is no newer than, also where the meter's clock is ahead."""
        return min(self.at, self.received_at)


@dataclass(frozen=True, slots=True)
class Bounds:
    """B⁺ of every row; which meters cannot be relied on and why; by how much which loads exceed their reserve.

    `expected_w` is what the site's own uncontrolled load is now, its reserve where nobody knows. `over` is by how much
    the 10-second mean of what is measured exceeds a rating itself (INV-2).
    """

    loads: Loads
    expected_w: float
    troubles: Mapping[str, str] = field(default_factory=dict)
    exceeded: Loads = field(default_factory=dict)
    over: Loads = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    key: RowKey
    reserve: Amount
    rise: Amount | None
    rating: Amount


def bounds(site: SiteSpec, readings: Sequence[MeterReading], now: datetime, *, refused: str | None = None) -> Bounds:
    """Return what uncontrolled load is counted with now; `readings` at least those of the last 40 s.

    `refused` says what was wrong with a reading that could not be meant, in the last 10 s: then nothing is believed
    that would count less than the reserve. What was measured above the reserve counts in any case, and for 15 minutes
    if nothing else is heard: a reserve that was too small a minute ago is no refuge.
    """
    readings = sorted(readings, key=lambda each: each.heard_at)
    rows = tuple(_rows(site))
    loads: dict[RowKey, float] = {}
    troubles = {} if refused is None else {REFUSED: refused}
    exceeded: dict[RowKey, float] = {}
    for row in rows:
        samples = _samples(row.key, readings)
        reason = trouble(samples, now, noise=NOISE_SHARE * row.reserve, most=ABSURD_FACTOR * row.rating)
        is_believed = reason is None and refused is None
        heard = _heard(samples, now, ABSURD_FACTOR * row.rating, REMEMBERED)
        loads[row.key] = _counted(row, peak_of(samples) if is_believed else None, heard)
        if heard is not None and heard > row.reserve:
            exceeded[row.key] = heard - row.reserve
        if reason is not None and _is_missed(row, samples, reason):
            troubles[meter_of(row.key)] = reason
    heard_w = _heard(_samples(SITE, readings), now, ABSURD_FACTOR * site.limit_w)
    is_known = refused is None and meter_of(SITE) not in troubles
    expected_w = max(0.0, heard_w) if heard_w is not None and is_known else site.reserve_w
    return Bounds(loads, expected_w, troubles, exceeded, _over({row.key: row.rating for row in rows}, readings, now))


def _counted(row: _Row, peak: Amount | None, heard: Amount | None) -> Amount:
    """Return B⁺. Nothing but zeros cannot be told from a dead meter: the reserve counts."""
    if heard is not None and heard > row.reserve:
        return heard + (row.rise or 0.0)
    return row.reserve if not peak or row.rise is None else min(row.reserve, peak + row.rise)


def _is_missed(row: _Row, samples: Sequence[Sample], reason: str) -> bool:
    """Whether it is news that a meter is slow or silent: something relies on it, or it used to be fast."""
    if reason not in {"stale", "sparse"} or row.rise is not None:
        return True
    return reason == "stale" and len(samples) > 1 and samples[-1][0] - samples[-2][0] <= STALE


def trouble(samples: Sequence[Sample], now: datetime, *, noise: Amount = 0.0, most: Amount = math.inf) -> str | None:
    """Return why a load's meter cannot be relied on, None: it can.

    `stale`: nothing for 10 s. Of the last STEADY: `nan`: a value is no finite number. `absurd`: one is beyond `most`.
    `sign-flipped`: one is negative by more than `noise`. `sparse`: there is a gap of more than 10 s. `frozen`: all
    values, four or more, are one and the same, and not 0.
    """
    if not samples or now - samples[-1][0] > STALE:
        return "stale"
    recent = recent_of(samples)
    values = [value for _, value in recent]
    if not all(math.isfinite(value) for value in values):
        return "nan"
    if max(values) > most:
        return "absurd"
    if min(values) < -noise:
        return "sign-flipped"
    times = [at for at, _ in recent]
    if times[-1] - times[0] < STEADY or any(after - at > STALE for at, after in pairwise(times)):
        return "sparse"
    is_frozen = len(values) >= FROZEN_COUNT and len(set(values)) == 1 and values[0] != 0
    return "frozen" if is_frozen else None


def subject_of(row: RowKey) -> str:
    """Return how alarms name a row; empty: the site."""
    feeder_id, conductor = row
    return (feeder_id or "") + ("" if conductor is None else f" {conductor}")


def meter_of(row: RowKey) -> str:
    """Return how alarms name the meter of a row's uncontrolled load."""
    return "site building" if row == SITE else subject_of(row)


def _rows(site: SiteSpec) -> Iterator[_Row]:
    yield _Row(SITE, site.reserve_w, site.rise_w, site.limit_w)
    for feeder in site.feeders:
        if feeder.limit_w is not None:
            yield _Row((feeder.feeder_id, None), feeder.reserve_w, feeder.rise_w, feeder.limit_w)
        if feeder.rating_a is not None:
            for conductor in Conductor:
                yield _Row((feeder.feeder_id, conductor), feeder.reserve_a, feeder.rise_a, feeder.rating_a)


def _samples(key: RowKey, readings: Sequence[MeterReading]) -> list[Sample]:
    if key == SITE:
        return [(each.heard_at, each.building_w) for each in readings]
    return [(each.heard_at, each.loads[key]) for each in readings if key in each.loads]


def recent_of(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples of the STEADY before the newest one, with the one that holds when it begins."""
    since_at = samples[-1][0] - STEADY
    first = max((number for number, (at, _) in enumerate(samples) if at <= since_at), default=0)
    return list(samples[first:])


def peak_of(samples: Sequence[Sample]) -> Amount:
    """Return the highest value of the last STEADY."""
    return max(value for _, value in recent_of(samples))


def _heard(samples: Sequence[Sample], now: datetime, most: Amount, within: timedelta = STALE) -> Amount | None:
    """Return the newest value while it is young and possible, whatever else is wrong with its meter."""
    if not samples or now - samples[-1][0] > within or not -most <= samples[-1][1] <= most:
        return None
    return samples[-1][1]


def _over(ratings: Loads, readings: Sequence[MeterReading], now: datetime) -> dict[RowKey, float]:
    """Return by how much what flows exceeds ratings, as a mean of 10 s; a feeder carries what is fed in, too."""
    flows: dict[RowKey, list[float]] = {}
    for each in readings:
        if now - each.heard_at <= MEAN_OVER:
            drawn = {} if each.grid_w is None else {SITE: each.grid_w}
            for key, value in {**each.totals, **drawn}.items():
                if key in ratings and math.isfinite(value):
                    flows.setdefault(key, []).append(value)
    means = {key: sum(values) / len(values) for key, values in flows.items()}
    sizes = {key: mean if key == SITE else abs(mean) for key, mean in means.items()}
    return {key: size - ratings[key] for key, size in sizes.items() if size > ratings[key]}
