"""Whether a site as described can be meant, and is safe with the controller off for ever (site-limit INV-4)."""

from collections.abc import Iterable, Sequence

from app.domain.commands import RateUnit
from app.domain.electrical import EvsePlace, Flaw, SiteModel
from app.domain.errors import Conflict, Invalid
from app.domain.wiring import Feeder, Wiring
from app.scheduling.burdens import place_of, planned_burdens, why_unsafe
from app.scheduling.feeders import RowKey
from app.scheduling.site_model import flaws_of
from app.store.site import SiteRow
from app.store.specs import site_spec
from app.store.station import EvseRow, StationRow

TOLD_COUNT = 5


def model_of(site: SiteRow, feeders: Sequence[Feeder], places: Sequence[EvsePlace]) -> SiteModel:
    """Return the site as people describe it."""
    return SiteModel(site_spec(site, feeders), tuple(places), site.safe_current_a, site.min_current_a)


def place_of_evse(row: EvseRow, station: StationRow) -> EvsePlace:
    """Return where an EVSE of a station is wired."""
    return EvsePlace(
        station_id=row.station_id,
        evse_number=row.evse_number,
        max_current_a=row.max_current_a,
        phase_count=row.phase_count,
        feeder_id=row.feeder_id,
        wiring=Wiring(row.wiring),
        min_current_a=row.min_current_a,
        is_dc=row.is_dc,
        rate_unit=RateUnit(station.rate_unit),
    )


def check(model: SiteModel, before: SiteModel | None = None, *, within: str = "") -> None:
    """Raise Invalid for what cannot be meant, Conflict where the safe currents of all EVSEs together do not fit.

    What was as wrong `before` is no obstacle to another change. `within` is the part of the site that the request is
    about: its fields are named as their sender wrote them.
    """
    known = set() if before is None else set(flaws_of(before))
    flaws = [flaw for flaw in flaws_of(model) if not flaw.is_warning and flaw not in known]
    if flaws:
        raise Invalid(told(flaws, within), wrong=_wrong(flaws, within))
    missing = {} if before is None else _missing(before)
    unsafe = [
        Flaw(f"{place_of(row.key)}: {why_unsafe(row)}", _limit(row.key), row.key[0])
        for row in planned_burdens(model.site, model.planned())
        if row.missing_safe > missing.get(row.key, 0.0)
    ]
    if unsafe:
        raise Conflict("; ".join(flaw.reason for flaw in unsafe[:TOLD_COUNT]), wrong=_wrong(unsafe, within))


def _missing(model: SiteModel) -> dict[RowKey, float]:
    return {row.key: row.missing_safe for row in planned_burdens(model.site, model.planned())}


def _limit(key: RowKey) -> str:
    return "limit_kw" if key[1] is None else "rating_a"


def told(flaws: Sequence[Flaw], within: str = "") -> str:
    """Return the first few flaws in one line."""
    return "; ".join(f"{field}: {reason}" for field, reason in _wrong(flaws[:TOLD_COUNT], within))


def _wrong(flaws: Iterable[Flaw], within: str) -> list[tuple[str, str]]:
    return [(flaw.path.removeprefix(within), flaw.reason) for flaw in flaws]
