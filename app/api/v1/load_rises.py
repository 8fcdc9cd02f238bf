"""How fast the uncontrolled load of a site or feeder rises, as its own readings show it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import StationKeeper, Transaction
from app.api.models import Out, SiteIdPath
from app.api.problems import documented
from app.domain.units import kw_from_w
from app.operations.load_rises import LoadRises, load_rises
from app.scheduling.feeders import RowKey
from app.scheduling.load_rise import NEEDED_DAYS_COUNT, SAFETY_FACTOR, Evidence

router = APIRouter(prefix="/v1/sites/{site_id}/load-rise", tags=["readings"])

FeederQuery = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$", description="a feeder; absent: the site's building")
]


class EvidenceOut(Out):
    """What one load did: the largest rise within the horizon, between which minutes; kW, or A of a conductor."""

    conductor: str | None
    days: int
    largest_kw: float | None = None
    largest_a: float | None = None
    low_at: datetime | None
    high_at: datetime | None


class LoadRiseOut(Out):
    """What may be set as `load_rise_kw` and `load_rise_a`, and why: null until enough days prove it.

    A day counts when 90 % of its minutes have a reading every 10 s.
    """

    horizon_s: float
    days_needed: int
    safety_factor: float
    load_rise_kw: float | None
    load_rise_a: float | None
    evidence: tuple[EvidenceOut, ...]


@router.get(
    "", responses=documented("not_found"), operation_id="propose_load_rise", summary="Propose a load rise from history"
)
async def propose_load_rise(
    tx: Transaction, _: StationKeeper, site_id: SiteIdPath, feeder_id: FeederQuery = None
) -> LoadRiseOut:
    """Look through the last 28 days of readings for the largest rise of uncontrolled load. It changes nothing."""
    found = await load_rises(tx, site_id, feeder_id)
    return LoadRiseOut(
        horizon_s=found.horizon.total_seconds(),
        days_needed=NEEDED_DAYS_COUNT,
        safety_factor=SAFETY_FACTOR,
        load_rise_kw=_proposed_kw(found),
        load_rise_a=_proposed_a(found),
        evidence=tuple(_evidence_out(*each) for each in sorted(found.rows.items(), key=lambda each: str(each[0]))),
    )


def _proposed_kw(found: LoadRises) -> float | None:
    powers = [each.proposed for (_, conductor), each in found.rows.items() if conductor is None]
    return kw_from_w(powers[0]) if powers and powers[0] is not None else None


def _proposed_a(found: LoadRises) -> float | None:
    """Return the largest of the conductors', None until all that are measured are proven."""
    currents = [each.proposed for (_, conductor), each in found.rows.items() if conductor is not None]
    proven = [current for current in currents if current is not None]
    return round(max(proven), 2) if proven and len(proven) == len(currents) else None


def _evidence_out(key: RowKey, found: Evidence) -> EvidenceOut:
    largest, conductor = found.largest, key[1]
    return EvidenceOut(
        conductor=conductor,
        days=found.days_count,
        largest_kw=kw_from_w(largest.amount) if largest is not None and conductor is None else None,
        largest_a=round(largest.amount, 2) if largest is not None and conductor is not None else None,
        low_at=None if largest is None else largest.low_at,
        high_at=None if largest is None else largest.high_at,
    )
