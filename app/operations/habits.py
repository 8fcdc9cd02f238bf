"""What is known of how people really come and go: for one driver, who may have it forgotten, and for a site.

Told from the stays themselves, not from what was learnt of them: whoever asks can add it up. Where somebody is
forgotten everything learnt at the sites in question goes too, and is learnt again without that person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import groupby
from statistics import quantiles
from uuid import UUID
from zoneinfo import ZoneInfo

from app.domain.stays import PastStay
from app.operations import drivers, sites, stays
from app.operations.stays import FORGOTTEN, KEEP
from app.operations.transaction import Tx
from app.store import driver_queries, stay_queries
from app.store.stay_queries import LearntNote
from app.store.stays import PastStayRow

FEWEST_COUNT = 3
FEWEST_OF_SITE_COUNT = 5
MOST_OF_DRIVER_COUNT = 2_000
MOST_OF_SITE_COUNT = 20_000
EARLY = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Usual:
    """The quartiles of something: a quarter lies below `low`, half below `middle`, a quarter above `high`."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True)
class Habits:
    """What stays have in common. `departure_minutes` count from local midnight of the day of arrival.

    `later_minutes` is by how much cars leave later than was said (negative: earlier), over the `said_count` stays where
    it was; `early_share` how many of those leave more than 15 minutes early. Energies are in Wh. None: too few stays.
    """

    site_id: str
    zone: str
    stays_count: int
    since_at: datetime | None
    said_count: int = 0
    departure_minutes: Usual | None = None
    later_minutes: Usual | None = None
    early_share: float | None = None
    taken_wh: Usual | None = None
    asked_wh: Usual | None = None
    taken_share: Usual | None = None


@dataclass(frozen=True, slots=True)
class DriverHabits:
    """One driver's habits by site; `is_learnt_from` is whether stays are kept as this driver's."""

    driver_id: UUID
    is_learnt_from: bool
    forgotten_at: datetime | None
    stays_count: int
    sites: tuple[Habits, ...]


@dataclass(frozen=True, slots=True)
class SiteHabits:
    """A site's habits, and which learnt state it plans with (None: with none)."""

    habits: Habits
    learnt: LearntNote | None


def habits_of(site_id: str, zone: str, seen: Sequence[PastStay], fewest_count: int) -> Habits:
    """Return what stays have in common; only how many there are where those are fewer than `fewest_count`."""
    if len(seen) < fewest_count:
        return Habits(site_id, zone, len(seen), None)
    said = [(stay.left_at - stay.declared_at) / MINUTE for stay in seen if stay.declared_at is not None]
    asked = [(stay.taken_wh, stay.asked_wh) for stay in seen if stay.asked_wh is not None and stay.asked_wh > 0]
    is_told, is_asked = len(said) >= fewest_count, len(asked) >= fewest_count
    return Habits(
        site_id=site_id,
        zone=zone,
        stays_count=len(seen),
        since_at=min(stay.arrived_at for stay in seen),
        said_count=len(said),
        departure_minutes=_usual([_local_minutes(stay, ZoneInfo(zone)) for stay in seen]),
        later_minutes=_usual(said) if is_told else None,
        early_share=sum(minutes < -EARLY / MINUTE for minutes in said) / len(said) if is_told else None,
        taken_wh=_usual([stay.taken_wh for stay in seen]),
        asked_wh=_usual([asked_wh for _, asked_wh in asked]) if is_asked else None,
        taken_share=_usual([taken_wh / asked_wh for taken_wh, asked_wh in asked]) if is_asked else None,
    )


def local_time(departure_minutes: float) -> time:
    """Return the time of day, to the minute, that lies so many minutes behind midnight."""
    hours, minutes = divmod(round(departure_minutes), 60)
    return time(hours % 24, minutes)


def _local_minutes(stay: PastStay, zone: ZoneInfo) -> float:
    arrived_at, left_at = stay.arrived_at.astimezone(zone), stay.left_at.astimezone(zone)
    days = (left_at.date() - arrived_at.date()).days
    return days * 24 * 60 + left_at.hour * 60 + left_at.minute + left_at.second / 60


def _usual(values: Sequence[float]) -> Usual:
    return Usual(*quantiles(values, n=4, method="inclusive"))


def _stay(row: PastStayRow) -> PastStay:
    return PastStay(None, row.arrived_at, row.left_at, row.declared_at, row.asked_wh, row.taken_wh)


async def of_driver(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> DriverHabits:
    """Return a driver's habits; raises NotFound, also when `owner_id` (None: anybody) is another driver."""
    row = await drivers.get(tx, driver_id, owner_id)
    found = await stay_queries.stays_of_driver(tx.session, driver_id, MOST_OF_DRIVER_COUNT)
    by_site = groupby(found, key=lambda each: (each[0].site_id, each[1]))
    return DriverHabits(
        driver_id=driver_id,
        is_learnt_from=row.is_learnt_from,
        forgotten_at=row.habits_since_at,
        stays_count=len(found),
        sites=tuple(
            habits_of(site_id, zone, [_stay(row) for row, _ in those], FEWEST_COUNT)
            for (site_id, zone), those in by_site
        ),
    )


async def of_site(tx: Tx, site_id: str) -> SiteHabits:
    """Return a site's habits, nothing but their number below 5 stays; raises NotFound."""
    site = await sites.get(tx, site_id)
    rows = await stay_queries.stays_of_site(tx.session, site_id, tx.now - KEEP, tx.now, MOST_OF_SITE_COUNT)
    seen = [PastStay(None, *row[1:]) for row in rows]
    note = await stay_queries.learnt_note(tx.session, site_id)
    habits = habits_of(site_id, site.zone, seen, FEWEST_OF_SITE_COUNT)
    return SiteHabits(habits, None if note is None or note.method == FORGOTTEN else note)


async def forget(tx: Tx, driver_id: UUID, owner_id: UUID | None = None) -> None:
    """Delete what is known of a driver's habits, in rows and in what was learnt; raises NotFound.

    Running sessions whose intent was taken from habits fall back to the site's default.
    """
    row = await drivers.get(tx, driver_id, owner_id)
    await driver_queries.locked_driver(tx.session, driver_id)
    row.habits_since_at = tx.now
    await tx.session.flush()
    await stays.unlearn(tx, driver_id)
    await stay_queries.forget_stays(tx.session, driver_id)


async def set_learning(tx: Tx, driver_id: UUID, *, is_learnt_from: bool, owner_id: UUID | None = None) -> DriverHabits:
    """Say whether stays are kept as this driver's; where not, what is known is forgotten. Raises NotFound."""
    row = await drivers.get(tx, driver_id, owner_id)
    if row.is_learnt_from and not is_learnt_from:
        await forget(tx, driver_id, owner_id)
    row.is_learnt_from = is_learnt_from
    await tx.session.flush()
    return await of_driver(tx, driver_id, owner_id)
