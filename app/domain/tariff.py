"""What a kWh from the grid costs and emits by the clock of the site's zone, as its operator gives it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_QUARTERS_COUNT = 96
CLOCK = re.compile(r"([0-9]{2}):(00|15|30|45)")


@dataclass(frozen=True, slots=True)
class TariffPeriod:
    """A part of the week: on `weekdays` (0 is Monday) the quarters of an hour `[first, until)` of the day.

    Where `until` is not behind `first` it goes on past midnight, and `weekdays` are those on which it begins. What it
    does not tell is the tariff's own.
    """

    weekdays: tuple[int, ...]
    first: int
    until: int
    price_per_kwh: float | None = None
    co2_g_per_kwh: float | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in `currency` and g CO2 per kWh: those of the period that holds, else `price_per_kwh`, `co2_g_per_kwh`.

    `co2_source` is whose factor it is: factors are per retailer, menu and fiscal year.
    """

    currency: str | None = None
    price_per_kwh: float | None = None
    co2_g_per_kwh: float | None = None
    co2_source: str | None = None
    periods: tuple[TariffPeriod, ...] = ()


def quarter_of(clock: str) -> int:
    """Return the quarter of an hour of the day that begins at `HH:MM`, 96 for 24:00; raises ValueError."""
    found = CLOCK.fullmatch(clock)
    quarter = DAY_QUARTERS_COUNT + 1 if found is None else 4 * int(found[1]) + int(found[2]) // 15
    if quarter > DAY_QUARTERS_COUNT:
        raise ValueError("must be a time of day on a quarter of an hour, like 08:00, 13:15 or 24:00")
    return quarter


def clock_of(quarter: int) -> str:
    """Return `HH:MM` of a quarter of an hour of the day."""
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"


def tariff_of(document: Mapping[str, Any]) -> Tariff:
    """Return the tariff that a document tells, in the words of the API; the document is of the right form."""
    own = {name: document.get(name) for name in ("currency", "price_per_kwh", "co2_g_per_kwh", "co2_source")}
    periods = tuple(
        TariffPeriod(
            tuple(sorted({WEEKDAYS.index(day) for day in each["days"]})),
            quarter_of(each["from"]),
            quarter_of(each["to"]),
            each.get("price_per_kwh"),
            each.get("co2_g_per_kwh"),
        )
        for each in document.get("periods") or ()
    )
    return Tariff(**own, periods=periods)


def document_of(tariff: Tariff) -> dict[str, Any]:
    """Return the document that tells a tariff, the reverse of `tariff_of`."""
    return {
        "currency": tariff.currency,
        "price_per_kwh": tariff.price_per_kwh,
        "co2_g_per_kwh": tariff.co2_g_per_kwh,
        "co2_source": tariff.co2_source,
        "periods": [
            {
                "days": [WEEKDAYS[day] for day in each.weekdays],
                "from": clock_of(each.first),
                "to": clock_of(each.until),
                "price_per_kwh": each.price_per_kwh,
                "co2_g_per_kwh": each.co2_g_per_kwh,
            }
            for each in tariff.periods
        ],
    }
