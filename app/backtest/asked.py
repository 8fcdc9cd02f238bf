"""What was asked for on the command line, checked: a `Question`, or an error that names the option."""

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from app.backtest.runs import Drawing, Question
from app.domain.errors import Invalid
from app.domain.units import w_from_kw

DRAWABLE = (".png", ".svg", ".pdf")


def question_of(
    *,
    sessions: Path,
    solar: Path,
    load: Path,
    surplus_ratio: float,
    evse_kw: float,
    least_kw: float,
    site_kw: float,
    series_clock: str,
    zone: str | None,
    shift_years: int,
    need: str,
    weekdays: bool,
    first: str | None,
    last: str | None,
    min_sessions: int,
    policies: tuple[str, ...],
    miss_prices_ratio: tuple[float, ...] = (),
    ledger: bool = False,
    surprised: int = 0,
) -> Question:
    """Return the question; raises Invalid naming the option."""
    if least_kw > evse_kw:
        raise Invalid("is more than --evse-kw", field="--least-kw")
    return Question(
        sessions=sessions,
        solar=solar,
        load=load,
        surplus_ratio=surplus_ratio,
        evse_w=w_from_kw(evse_kw),
        least_w=w_from_kw(least_kw),
        site_w=w_from_kw(site_kw),
        shift_years=shift_years,
        is_zoned=_one_of("--series-clock", series_clock, "naive", "zoned") == "zoned",
        zone=None if zone is None else _zone(zone),
        weekdays=weekdays,
        least_session_count=min_sessions,
        is_need_declared=_one_of("--need", need, "known", "declared") == "declared",
        first=_day("--from", first),
        last=_day("--to", last),
        policies=policies,
        miss_prices_ratio=miss_prices_ratio,
        ledger=ledger,
        surprised_count=surprised,
    )


def drawing_of(path: Path, day: str | None) -> Drawing:
    """Return what is to be drawn where; raises Invalid naming the option, also where nothing can be drawn here."""
    if path.suffix.lower() not in DRAWABLE:
        raise Invalid(f"must end in one of {', '.join(DRAWABLE)}", field="--plot")
    if find_spec("matplotlib") is None:
        raise Invalid('needs matplotlib: pip install "sunslot[plot]"', field="--plot")
    return Drawing(path, _day("--plot-day", day))


def _one_of(option: str, text: str, *known: str) -> str:
    if text not in known:
        raise Invalid(f"must be one of {', '.join(known)}", field=option)
    return text


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid("is no known time zone", field="--zone") from None


def _day(option: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid("must be a day like 2019-05-01", field=option) from None
