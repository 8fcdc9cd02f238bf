"""What learning says of the cars that are there: what the silent ones want, and how long each may really stay."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.domain.intervals import PLAN_SLOT, ceil_slot, floor_slot
from app.domain.snapshot import Demand, IntentSource, SiteSnapshot
from app.domain.stays import Guest, NeedBlock, StayOutlook
from app.operations.transaction import Tx
from app.scheduling.staying.habits import expected_departure, expected_need
from app.scheduling.staying.learnt import LearntStays
from app.scheduling.staying.outlooks import outlooks
from app.store import stay_queries
from app.store.base import stored_text
from app.store.session import SessionRow
from app.store.stay_queries import Expectation

SAID = (IntentSource.DRIVER, IntentSource.BOOKING)
JUST_COME = timedelta(hours=1)
MOST_AT_ONCE_COUNT = 100
LONGEST_BASIS_COUNT = 200
SHARE_DIGITS_COUNT = 4


@dataclass(frozen=True, slots=True)
class Look:
    """A car that an outlook over so many slots is wanted of."""

    guest: Guest
    slots_count: int

    @property
    def key(self) -> str:
        """Whose it is: the session's id."""
        return self.guest.key

    def says_the_same(self, other: "Look") -> bool:
        """Whether nothing but what was taken since differs."""
        return self._said() == other._said() and self.guest.taken_wh >= other.guest.taken_wh

    def _said(self) -> tuple[object, ...]:
        guest = self.guest
        return (
            guest.driver,
            guest.arrived_at,
            guest.declared_at,
            guest.asked_wh,
            guest.max_power_w,
            guest.is_need_known,
            self.slots_count,
        )


@dataclass(frozen=True, slots=True)
class Looked:
    """What is thought of a car; `look` is how it was when it was last looked at."""

    look: Look
    outlook: StayOutlook

    def at(self, look: Look) -> "Looked":
        """Return this when the car, of which nothing else is new, has taken as much as `look` says."""
        more_wh = look.guest.taken_wh - self.look.guest.taken_wh
        if more_wh <= 0:
            return self
        before = self.outlook
        return Looked(look, StayOutlook(before.stays_share, _less(before.needs, more_wh), before.basis))


@dataclass(frozen=True, slots=True)
class Sight:
    """What is thought of a site's cars in the slot from `slot_at`, by session."""

    learnt: LearntStays
    slot_at: datetime
    cars: Mapping[str, Looked] = field(default_factory=dict)

    def holds(self, look: Look) -> bool:
        """Whether what is thought of a car still counts: nothing new is said, and it only took more."""
        known = self.cars.get(look.key)
        return known is not None and look.says_the_same(known.look)


_SEEN: dict[str, Sight] = {}  # by site, so that a plan looks only at cars that are new or of which something is new


async def expect(tx: Tx, learnt: LearntStays | None, rows: Sequence[SessionRow]) -> None:
    """Give cars that came within the last hour, and of which nobody said anything, what is usual (`learnt`).

    Where enough is known of the driver, or of the site; else the site's default stays. Sessions that somebody else is
    writing now are left for the next plan. Later words of the driver, or a booking, win.
    """
    silent = [row for row in rows if _is_silent(row, tx.now)][:MOST_AT_ONCE_COUNT]
    if learnt is None or not silent:
        return
    found = await asyncio.to_thread(expectations, learnt, silent, tx.now)
    if found:
        await stay_queries.expect(tx.session, found, rows)


def _is_silent(row: SessionRow, now: datetime) -> bool:
    """Whether only the site's default is known of a new session; one that may not charge wants nothing."""
    is_assumed = row.intent_source == IntentSource.ASSUMED and row.booking_id is None and row.need_wh > 0
    return is_assumed and now - JUST_COME < row.started_at <= now


def expectations(learnt: LearntStays, rows: Sequence[SessionRow], now: datetime) -> list[Expectation]:
    """Return what is usual of these sessions, where both departure and energy are known."""
    found = []
    for row in rows:
        driver = None if row.driver_id is None else str(row.driver_id)
        departure = expected_departure(learnt, driver, row.started_at)
        need = expected_need(learnt, driver, row.started_at)
        if departure is None or need is None or departure[0] <= now:
            continue
        basis = stored_text(f"{departure[1]}; {need[1]}", LONGEST_BASIS_COUNT)
        found.append(Expectation(row.session_id, departure[0], need[0], basis))
    return found


async def seen(
    learnt: LearntStays | None, snapshot: SiteSnapshot, rows: Sequence[SessionRow], now: datetime
) -> SiteSnapshot:
    """Return the snapshot with the outlooks of its demands, whose sessions are among `rows`.

    The same snapshot where nothing is learnt at the site, or departures are taken as said there. A car is looked at
    once a slot, and again when something else is said: a plan is made at every event.
    """
    site_id = snapshot.site.site_id
    if learnt is None or snapshot.site.miss_cost_ratio <= 0:
        _SEEN.pop(site_id, None)
        return snapshot
    sight, slot_at = _SEEN.get(site_id), floor_slot(now)
    if sight is None or sight.learnt is not learnt or sight.slot_at != slot_at:
        sight = Sight(learnt, slot_at)
    _SEEN[site_id] = await asyncio.to_thread(looked_again, sight, looks_of(snapshot, rows, slot_at))
    return with_outlooks(_SEEN[site_id], snapshot)


def let_go(site_id: str, learnt: LearntStays | None) -> None:
    """Forget what was thought of a site's cars, unless it was taken from what is learnt now."""
    sight = _SEEN.get(site_id)
    if sight is not None and sight.learnt is not learnt:
        del _SEEN[site_id]


def looks_of(snapshot: SiteSnapshot, rows: Sequence[SessionRow], slot_at: datetime) -> list[Look]:
    """Return the cars that an outlook is wanted of, in the order of the demands."""
    by_id = {str(row.session_id): row for row in rows}
    return [
        Look(guest_of(by_id[demand.session_id], demand), _slots_count(demand, slot_at)) for demand in snapshot.demands
    ]


def looked_again(sight: Sight, looks: Sequence[Look]) -> Sight:
    """Return what is thought of exactly these cars: as it was where nothing new is said of one, else anew."""
    kept = {look.key: sight.cars[look.key] for look in looks if sight.holds(look)}
    new = [look for look in looks if look.key not in kept]
    count = max((look.slots_count for look in new), default=0)
    found = outlooks(sight.learnt, [look.guest for look in new], sight.slot_at, count) if new else []
    kept |= {
        look.key: Looked(look, _short(outlook, look.slots_count)) for look, outlook in zip(new, found, strict=True)
    }
    return replace(sight, cars={look.key: kept[look.key].at(look) for look in looks})


def with_outlooks(sight: Sight, snapshot: SiteSnapshot) -> SiteSnapshot:
    """Return the snapshot with what is thought of each demand's car."""
    return replace(
        snapshot,
        demands=tuple(replace(demand, outlook=sight.cars[demand.session_id].outlook) for demand in snapshot.demands),
    )


def guest_of(row: SessionRow, demand: Demand) -> Guest:
    """Return a session as learning sees it; what nobody said counts as not said."""
    is_said = demand.source in SAID
    return Guest(
        key=demand.session_id,
        driver=None if row.driver_id is None else str(row.driver_id),
        arrived_at=row.started_at,
        declared_at=row.departs_at if is_said else None,
        asked_wh=row.need_wh if is_said else None,
        taken_wh=row.delivered_wh,
        max_power_w=demand.max_power_w,
    )


def _slots_count(demand: Demand, slot_at: datetime) -> int:
    return max(1, (ceil_slot(demand.departs_at) - slot_at) // PLAN_SLOT)


def _short(outlook: StayOutlook, count: int) -> StayOutlook:
    """Return the outlook up to the departure, in as many digits as it is good for: every plan records it."""
    return replace(
        outlook,
        stays_share=tuple(round(share, SHARE_DIGITS_COUNT) for share in outlook.stays_share[:count]),
        needs=tuple(
            NeedBlock(round(block.energy_wh), round(block.share, SHARE_DIGITS_COUNT)) for block in outlook.needs
        ),
    )


def _less(needs: Sequence[NeedBlock], taken_wh: float) -> tuple[NeedBlock, ...]:
    """Return what is left of these parts when so much of them is taken, the surest first; the last one stays."""
    left = []
    for block in needs:
        used_wh = min(taken_wh, block.energy_wh)
        taken_wh -= used_wh
        left.append(NeedBlock(block.energy_wh - used_wh, block.share) if used_wh else block)
    return tuple(block for block in left[:-1] if block.energy_wh > 0) + tuple(left[-1:])
