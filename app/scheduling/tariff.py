"""A tariff on the planning grid, and what cannot be meant by one.

A tariff is told by the clock of the site's zone, so its slots follow daylight saving: an hour that the clock repeats
has its price twice, one that it skips has none. Periods begin and end on quarters of an hour, and every zone's offset
is a whole number of those, so a slot of the planning grid never has two prices.
"""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.intervals import floor_slot, slots_between
from app.domain.snapshot import GridSlot
from app.domain.tariff import DAY_QUARTERS_COUNT, WEEKDAYS, Tariff, TariffPeriod, clock_of

WEEK_QUARTERS_COUNT = len(WEEKDAYS) * DAY_QUARTERS_COUNT
MOST_PERIODS_COUNT = 100


def grid_slots(tariff: Tariff, zone: ZoneInfo, from_at: datetime, until_at: datetime) -> tuple[GridSlot, ...]:
    """Return price and CO2 of every planning slot in `[from_at, until_at)`; the first and the last may be cut short."""
    week = _week(tariff)
    slots = []
    for slot in slots_between(from_at, until_at):
        local = floor_slot(slot.start_at).astimezone(zone)
        quarter = local.weekday() * DAY_QUARTERS_COUNT + (60 * local.hour + local.minute) // 15
        slots.append(GridSlot(slot, *_told(tariff, week.get(quarter))))
    return tuple(slots)


def flaws_of(tariff: Tariff) -> tuple[tuple[str, str], ...]:
    """Return (field, reason) of everything that cannot be meant; empty: the tariff is right.

    No quarter of an hour has two periods. What is told anywhere is told always: gaps between the periods are filled by
    the tariff's own price and CO2, and refused without them.
    """
    found = [*_sources(tariff), *_periods(tariff)]
    return tuple(found or _gaps(tariff))


def _quarters(period: TariffPeriod) -> Iterator[int]:
    """Yield the quarters of the week that a period holds for."""
    until = period.until if period.until > period.first else period.until + DAY_QUARTERS_COUNT
    for weekday in period.weekdays:
        for quarter in range(period.first, until):
            yield (weekday * DAY_QUARTERS_COUNT + quarter) % WEEK_QUARTERS_COUNT


def _week(tariff: Tariff) -> dict[int, TariffPeriod]:
    """Return the period of every quarter of the week that has one."""
    return {quarter: period for period in tariff.periods for quarter in _quarters(period)}


def _told(tariff: Tariff, period: TariffPeriod | None) -> tuple[float | None, float | None]:
    price_per_kwh = None if period is None else period.price_per_kwh
    co2_g_per_kwh = None if period is None else period.co2_g_per_kwh
    return (
        tariff.price_per_kwh if price_per_kwh is None else price_per_kwh,
        tariff.co2_g_per_kwh if co2_g_per_kwh is None else co2_g_per_kwh,
    )


def _sources(tariff: Tariff) -> Iterator[tuple[str, str]]:
    parts: tuple[Tariff | TariffPeriod, ...] = (tariff, *tariff.periods)
    has_price = any(each.price_per_kwh is not None for each in parts)
    has_co2 = any(each.co2_g_per_kwh is not None for each in parts)
    if not has_price and not has_co2:
        yield "price_per_kwh", "is needed, or co2_g_per_kwh: the tariff tells neither"
    if has_price and tariff.currency is None:
        yield "currency", "is needed with a price"
    if has_co2 and tariff.co2_source is None:
        told = "is needed with co2_g_per_kwh: factors differ by retailer, menu and fiscal year; say whose this one is"
        yield "co2_source", told


def _periods(tariff: Tariff) -> Iterator[tuple[str, str]]:
    if len(tariff.periods) > MOST_PERIODS_COUNT:
        yield "periods", f"are {len(tariff.periods)}; at most {MOST_PERIODS_COUNT} are possible"
        return
    taken: dict[int, int] = {}
    for number, period in enumerate(tariff.periods):
        if period.first == DAY_QUARTERS_COUNT:
            yield f"periods[{number}].from", "is the end of the day; the next one begins at 00:00"
        elif period.first == period.until:
            yield f"periods[{number}].to", "is the same as from; a whole day is 00:00 to 24:00"
        elif (clash := next((each for each in _quarters(period) if each in taken), None)) is not None:
            yield f"periods[{number}]", f"overlaps periods[{taken[clash]}] on {_when(clash)}; one price holds at a time"
        else:
            taken.update(dict.fromkeys(_quarters(period), number))


def _gaps(tariff: Tariff) -> Iterator[tuple[str, str]]:
    week = _week(tariff)
    told = [_told(tariff, week.get(quarter)) for quarter in range(WEEK_QUARTERS_COUNT)]
    for field, values in zip(("price_per_kwh", "co2_g_per_kwh"), zip(*told, strict=True), strict=True):
        gap = next((quarter for quarter, value in enumerate(values) if value is None), None)
        if gap is not None and any(value is not None for value in values):
            yield field, f"is needed for what the periods leave out, first on {_when(gap)}"


def _when(quarter: int) -> str:
    weekday, of_day = divmod(quarter, DAY_QUARTERS_COUNT)
    return f"{WEEKDAYS[weekday]} at {clock_of(of_day)}"
