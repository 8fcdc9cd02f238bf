"""The gate of calls that change charging profiles behind the allocator's back (rules R2, R3, R10): may this be sent.

A session's profile that our next lease replaces is counted in the ledger as any order of ours. Everything else either
stays under what the EVSE may draw anyway, or has its EVSEs counted at nameplate until their defaults are proven again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.domain.commands import RateUnit
from app.domain.limits import EvseLedger
from app.domain.raw import ChangeKind, LimitChange
from app.domain.snapshot import EvseSpec, SiteSpec
from app.scheduling.feeders import Grid, RowKey
from app.scheduling.ledger import possible_w

ROUNDING_W = 1e-6


@dataclass(frozen=True, slots=True)
class Entry:
    """A limit to be written into the ledger before the call leaves."""

    evse_id: int
    power_w: float


@dataclass(frozen=True, slots=True)
class Let:
    """The call may be sent once these entries are written and these EVSEs count as unproven."""

    entries: tuple[Entry, ...] = ()
    unproven: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Barred:
    """The call must not be sent.

    `missing_w` is how much room is lacking at the tightest place, None where room is not the reason; `row` is that
    place, with A as W at the nominal voltage.
    """

    reason: str
    missing_w: float | None = None
    row: RowKey = (None, None)


def judge(
    site: SiteSpec,
    evses: Sequence[EvseSpec],
    ledgers: Mapping[int, EvseLedger],
    busy: Collection[int],
    grid: Grid,
    station_id: str,
    changes: Sequence[LimitChange],
    now: datetime,
) -> Let | Barred:
    """Decide on a call's changes at one station; `evses` are the whole site's, `busy` those with a running session.

    INV-1 has to hold with everything counted. Only what allows no more than the safe power may pass where it does not
    hold before: what is counted already may be a fear only (a proof that is due, an order that got lost), which the
    call would make true, and without an end (R1).
    """
    before = {evse.evse_id: possible_w(ledgers[evse.evse_id], now, site.settle) for evse in evses}
    after, entries, unproven, widened = dict(before), dict[int, float](), set[int](), set[int]()
    for change in changes:
        touched = [evse for evse in evses if evse.station_id == station_id and _touches(change, evse)]
        if not touched:
            return Barred(f"the station has no EVSE {change.evse_number}")
        widened |= {evse.evse_id for evse in touched if _may_widen(change, evse, site)}
        if change.kind is not ChangeKind.SESSION:
            unproven |= {evse.evse_id for evse in touched}
            after |= {evse.evse_id: evse.nameplate_w for evse in touched}
        elif _is_ours_to_replace(change, touched, busy):
            (evse,) = touched
            entries[evse.evse_id] = max(entries.get(evse.evse_id, 0.0), counted_w(change, evse, site))
            after[evse.evse_id] = max(after[evse.evse_id], entries[evse.evse_id])
        elif reason := _why_unsafe(change, touched, site):
            return Barred(reason)
    if missing := _missing_w(site, grid, before, after, widened):
        row = max(missing, key=lambda each: missing[each])
        return Barred(f"{_place(row)} has no room for it", missing[row], row)
    return Let(tuple(Entry(*each) for each in sorted(entries.items())), tuple(sorted(unproven)))


def _may_widen(change: LimitChange, evse: EvseSpec, site: SiteSpec) -> bool:
    """Whether the EVSE may draw more than its safe power with it, whatever it is counted with already."""
    return change.kind is ChangeKind.CLEARED or counted_w(change, evse, site) > evse.safe_power_w + ROUNDING_W


def _missing_w(
    site: SiteSpec,
    grid: Grid,
    before_w: Mapping[int, float],
    after_w: Mapping[int, float],
    widened: Collection[int],
) -> dict[RowKey, float]:
    """Return where how much is missing with `after_w`.

    A row that no EVSE of `widened` loads, and that is not loaded further, is no obstacle.
    """
    asking = {share.row for evse_id in widened for share in grid.shares[evse_id]}
    missing: dict[RowKey, float] = {}
    loads = zip(grid.rows, grid.loads(before_w), grid.loads(after_w), strict=True)
    for number, (row, load_before, load_after) in enumerate(loads):
        excess = load_after - (row.capacity if number in asking else max(row.capacity, load_before))
        if excess > ROUNDING_W:
            missing[row.key] = excess if row.key[1] is None else excess * site.voltage_v
    return missing


def _place(row: RowKey) -> str:
    feeder_id, conductor = row
    if feeder_id is None:
        return "the site"
    return f"feeder {feeder_id}" + ("" if conductor is None else f" ({conductor})")


def change_w(change: LimitChange, evse: EvseSpec) -> float:
    """Return what a change lets the EVSE draw at most: its nameplate where the limit is unbounded or unknown.

    Amperes count on all the phases that the EVSE has, however many the profile speaks of.
    """
    if change.limit is None or not change.limit >= 0:
        return evse.nameplate_w
    allowed_w = change.limit if change.unit is RateUnit.W else change.limit * evse.w_per_a
    return min(allowed_w, evse.nameplate_w)


def counted_w(change: LimitChange, evse: EvseSpec, site: SiteSpec) -> float:
    """Return what a change counts with in the ledger, where an EVSE of limits in A loads conductors by its W.

    A limit in W may all flow in the fewest phases at the lowest voltage, whatever our own limits are spelled in.
    """
    allowed_w = change_w(change, evse)
    if change.unit is RateUnit.A or evse.rate_unit is RateUnit.W or evse.feeder_id is None:
        return allowed_w
    return min(evse.nameplate_w, allowed_w * evse.phase_count / (site.low_voltage_share * evse.least_phase_count))


def _touches(change: LimitChange, evse: EvseSpec) -> bool:
    return not change.evse_number or change.evse_number == evse.evse_number


def _is_ours_to_replace(change: LimitChange, touched: Sequence[EvseSpec], busy: Collection[int]) -> bool:
    return bool(change.evse_number) and change.is_replaceable and touched[0].evse_id in busy


def _why_unsafe(change: LimitChange, touched: Sequence[EvseSpec], site: SiteSpec) -> str:
    """Say why a session's profile that no lease of ours would replace may not be set; empty: it may."""
    for evse in touched:
        if not evse.is_verified:
            return (
                f"the default of EVSE {evse.evse_number} is not proven, and the profile would hide what is in force;"
                " wait until the station is verified"
            )
        if counted_w(change, evse, site) > evse.safe_power_w + ROUNDING_W:
            return (
                f"no lease would replace it at EVSE {evse.evse_number} (other stack level, or no running session), so"
                f" it may allow at most the safe {evse.safe_power_w / 1000:.2f} kW"
            )
    return ""
