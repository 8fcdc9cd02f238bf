"""What the site's meters mean for its limits: read once per cycle of the limit loop, and told as alarms.

`look` gives what uncontrolled load is counted with (INV-1), what the demand guard lets the cars have (INV-3), and when
to look again because a reading would be stale; `tell` says what is wrong. Call both with the site locked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from app.domain.intervals import MARKET_SLOT
from app.domain.snapshot import SiteSpec
from app.domain.units import kw_from_w, kwh_from_wh
from app.operations import alarms
from app.operations.transaction import Tx
from app.scheduling.demand_guard import Cars, Guarded, guarded, slot_of
from app.scheduling.feeders import Loads, RowKey
from app.scheduling.grid_meter import drawn, with_grid
from app.scheduling.surplus import FRESH
from app.scheduling.uncontrolled import REFUSED, SITE, STALE, Amount, Bounds, MeterReading, bounds, meter_of, subject_of
from app.store.meter import grid_readings, recent_readings
from app.store.site import SiteRow

JUST_AFTER = timedelta(milliseconds=1)

Subjects = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """One look at the meters.

    `loads` are for `feeders.grid_of`, `cap_w` is for `demand_guard.capped` (None: no target). `surplus_w` is what the
    newest reading has left over for cars, None when it is stale or its meter in trouble. `wake_at` is when to look
    again at the latest.
    """

    bounds: Bounds
    guard: Guarded | None
    surplus_w: float | None
    wake_at: datetime | None

    @property
    def loads(self) -> Loads:
        """B⁺ of every row."""
        return self.bounds.loads

    @property
    def cap_w(self) -> float | None:
        """The most that all cars which want energy may be allowed together."""
        return None if self.guard is None else self.guard.cap_w


async def look(tx: Tx, site: SiteSpec, cars: Cars) -> Measured:
    """Read the meters' recent readings and return what they mean now."""
    readings = await recent_readings(tx.session, site.site_id, tx.now)
    refused = await _refused(tx, site.site_id)
    found = bounds(site, readings, tx.now, refused=None if refused is None else refused[1])
    found = with_grid(site, found, readings, cars.busy_w + cars.idle_w, tx.now)
    guard = None
    if site.demand_target_w is not None:
        drawn_so_far = drawn(await grid_readings(tx.session, site.site_id, slot_of(site, tx.now)))
        guard = guarded(site, drawn_so_far, cars, found.loads[SITE], found.expected_w, tx.now)
    return Measured(found, guard, _surplus_w(readings, found, tx.now), _wake_at(site, readings, refused, tx.now))


async def beyond_reserve(tx: Tx, site: SiteSpec) -> Loads:
    """Return B⁺ of the rows whose load is above its reserve now: for who may not count less than the reserve."""
    found = bounds(site, await recent_readings(tx.session, site.site_id, tx.now), tx.now)
    return {row: found.loads[row] for row in found.exceeded}


async def _refused(tx: Tx, site_id: str) -> tuple[datetime, str] | None:
    """Return when a reading was refused within the last 10 s, and why."""
    row = await tx.session.get_one(SiteRow, site_id)
    at = row.reading_refused_at
    return None if at is None or tx.now - at > STALE else (at, row.reading_refused_for or "")


def _surplus_w(readings: Sequence[MeterReading], found: Bounds, now: datetime) -> float | None:
    """Return the newest surplus while it can be meant: a fast meter's for 10 s, a slow one's for twice its pause."""
    if not readings or {REFUSED, meter_of(SITE)} & set(found.troubles):
        return None
    pauses = [after.heard_at - each.heard_at for each, after in pairwise(readings[-2:])]
    patience = min(FRESH, max([STALE, *(2 * pause for pause in pauses)])) if pauses else FRESH
    newest = readings[-1]
    return max(0.0, newest.pv_w - newest.building_w) if now - newest.heard_at <= patience else None


def _wake_at(
    site: SiteSpec, readings: Sequence[MeterReading], refused: tuple[datetime, str] | None, now: datetime
) -> datetime | None:
    times = [each.heard_at + STALE + JUST_AFTER for each in readings[-1:]]
    times += [refused[0] + STALE + JUST_AFTER] if refused is not None else []
    times += [slot_of(site, now) + MARKET_SLOT] if site.demand_target_w is not None else []
    return min((at for at in times if at > now), default=None)


async def tell(tx: Tx, site_id: str, measured: Measured, excesses: Loads, resting: Collection[RowKey]) -> None:
    """Tell what is wrong; `excesses` are the rows where INV-1 does not hold now: their recovery is under way.

    In those of `resting` nothing is left to lower: what exceeds there is load, or EVSEs that count at nameplate.
    """
    told: Mapping[str, Subjects] = {
        "meter": {subject: {"reason": reason} for subject, reason in measured.bounds.troubles.items()},
        "over_limit": {
            subject_of(row): _excess(row, over, measured.bounds.exceeded.get(row), is_resting=row in resting)
            for row, over in excesses.items()
        },
        "over_rating": {subject_of(row): _amount(row, over) for row, over in measured.bounds.over.items()},
        "demand": {} if measured.guard is None or measured.guard.is_feasible else {"": _demand(measured.guard)},
    }
    for kind, subjects in told.items():
        await alarms.tell(tx, site_id, kind, subjects)


def _excess(row: RowKey, over: Amount, beyond_reserve: Amount | None, *, is_resting: bool) -> Mapping[str, Any]:
    beyond = {} if beyond_reserve is None else _amount(row, beyond_reserve, "reserve_exceeded")
    return {**_amount(row, over), **beyond, **({"is_nothing_left_to_lower": True} if is_resting else {})}


def _amount(row: RowKey, over: Amount, name: str = "over") -> dict[str, Any]:
    return {f"{name}_kw": kw_from_w(over)} if row[1] is None else {f"{name}_a": round(over, 2)}


def _demand(guard: Guarded) -> dict[str, Any]:
    return {
        "starts_at": guard.starts_at.isoformat(),
        "target_kw": kw_from_w(guard.target_w),
        "least_mean_kw": kw_from_w(guard.least_mean_w),
        "drawn_kwh": kwh_from_wh(guard.drawn_wh),
    }
