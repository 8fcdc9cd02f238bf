"""The safety report of a site."""

from datetime import datetime
from typing import Literal

from fastapi import APIRouter
from pydantic import Field

from app.api.deps import StationKeeper, Transaction
from app.api.models import MaybeKwOut, Out, SiteIdPath
from app.api.problems import documented
from app.domain.units import kw_from_w
from app.domain.wiring import Conductor
from app.operations import limit_report
from app.scheduling.burdens import Burden

router = APIRouter(prefix="/v1/sites", tags=["sites"])

CURRENT_DIGITS = 3


class SurprisedOut(Out):
    """A station whose surprise the row bears, and what it could draw beyond its safe current."""

    station_id: str
    more: float


class LimitRowOut(Out):
    """One limit: a feeder's line conductor in A, or a feeder (null: the site) as a whole in kW.

    `uncontrolled` is what uncontrolled load is counted with: its `reserve`, or less where healthy meters prove it, or
    more where they say so. `in_force` is the most that EVSEs
    may draw now, `headroom` what is left after `margin`, `uncontrolled`, `surprises` and that. `resting` is what EVSEs
    draw at most while no controller is there.
    """

    feeder: str | None
    conductor: Conductor | None
    unit: Literal["A", "kW"]
    rating: float
    margin: float
    reserve: float
    uncontrolled: float
    surprises: tuple[SurprisedOut, ...]
    in_force: float
    headroom: float
    holds: bool
    resting: float
    missing_unattended: float

    @classmethod
    def of(cls, row: Burden) -> "LimitRowOut":
        """Return a row in the units of the API."""

        def told(value: float) -> float:
            return kw_from_w(value) if row.key[1] is None else round(value, CURRENT_DIGITS)

        return cls(
            feeder=row.key[0],
            conductor=row.key[1],
            unit="kW" if row.key[1] is None else "A",
            rating=told(row.rating),
            margin=told(row.margin),
            reserve=told(row.reserve),
            uncontrolled=told(row.uncontrolled),
            surprises=tuple(SurprisedOut(station_id=name, more=told(gain)) for name, gain in row.surprised.items()),
            in_force=told(row.in_force),
            headroom=told(row.headroom),
            holds=row.holds,
            resting=told(row.resting),
            missing_unattended=told(row.missing_resting),
        )


class DoubtfulEvseOut(Out):
    """An EVSE whose default is not proven (it counts at nameplate), or that cannot be controlled; empty: not so."""

    station_id: str
    evse_number: int
    feeder: str | None = Field(validation_alias="feeder_id")
    unproven_for: str
    uncontrollable_for: str


class LimitReportOut(Out):
    """How a site's limits stand.

    `holds`: nothing that may be in force now breaks any of them, also if `surprised_stations` forget their limits.
    `is_safe_unattended`: the site stays under them with the controller off for ever; `unsafe` says why it would not.
    `meter_troubles` says which meters are not relied on and why; `demand_cap_kw` is what the demand guard lets all cars
    have now, null without a target.
    """

    site_id: str
    at: datetime
    holds: bool
    is_safe_unattended: bool
    unsafe: tuple[str, ...]
    surprised_stations: int
    rows: tuple[LimitRowOut, ...]
    doubtful: tuple[DoubtfulEvseOut, ...]
    meter_troubles: dict[str, str]
    demand_cap_kw: MaybeKwOut


@router.get(
    "/{site_id}/limit",
    responses=documented("not_found"),
    operation_id="get_limit_report",
    summary="Report how a site's limits stand",
)
async def get_limit_report(tx: Transaction, _: StationKeeper, site_id: SiteIdPath) -> LimitReportOut:
    """Report per feeder and line conductor what it bears, whether that holds, and whether it is safe unattended."""
    found = await limit_report.report(tx, site_id)
    return LimitReportOut(
        site_id=found.site_id,
        at=found.at,
        holds=found.holds,
        is_safe_unattended=found.is_safe_unattended,
        unsafe=found.unsafe,
        surprised_stations=found.surprised_count,
        rows=tuple(LimitRowOut.of(row) for row in found.rows),
        doubtful=tuple(DoubtfulEvseOut.model_validate(each) for each in found.doubtful),
        meter_troubles=dict(found.meter_troubles),
        demand_cap_kw=found.demand_cap_w,
    )
