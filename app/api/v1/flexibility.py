"""Flexibility for the balancing service: site totals in 30-minute slots of the site's zone, and sustained blocks."""

from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Header, Query, Response

from app.api.deps import Context, GridOrOperator, Transaction
from app.api.models import Out
from app.api.problems import documented
from app.domain.flexibility import FlexibilityBlock, FlexibilitySlot
from app.domain.intervals import Interval
from app.domain.units import kw_from_w
from app.operations import flexibility
from app.operations.flexibility import SiteOffer

router = APIRouter(prefix="/v1/flexibility", tags=["flexibility"])

CAVEAT = (
    "Directions are named by consumption: decrease_kw is consuming less than the baseline, increase_kw more. The "
    "extremes of single slots are not jointly deliverable; blocks are, each by itself: blocks are alternatives. The "
    "30-minute energy is what is guaranteed. Only plugged-in cars count."
)
NO_CHANGE = 304


class FlexibilitySlotOut(Out):
    """One 30-minute slot in the site's own time; powers are means over it, null where suppressed."""

    start_at: datetime
    end_at: datetime
    baseline_kw: float | None
    decrease_kw: float | None
    increase_kw: float | None


class FlexibilityBlockOut(Out):
    """A constant change from the baseline that can be kept up through the whole of it, null where suppressed."""

    start_at: datetime
    end_at: datetime
    decrease_kw: float | None
    increase_kw: float | None


class FlexibilityOut(Out):
    """An offer. `suppressed` says why the numbers are null, and is null itself where they are not."""

    site_id: str
    issued_at: datetime
    revision: int
    connected: int | None
    caveat: str
    suppressed: str | None
    slots: tuple[FlexibilitySlotOut, ...]
    blocks: tuple[FlexibilityBlockOut, ...]


def _offer_out(made: SiteOffer, least_count: int) -> FlexibilityOut:
    offer, zone = made.offer, ZoneInfo(made.zone)
    is_hidden = flexibility.is_too_few(offer, least_count)

    def kw(power_w: float) -> float | None:
        return None if is_hidden else kw_from_w(power_w)

    def times(interval: Interval) -> tuple[datetime, datetime]:
        return interval.start_at.astimezone(zone), interval.end_at.astimezone(zone)

    def slot_out(slot: FlexibilitySlot) -> FlexibilitySlotOut:
        start_at, end_at = times(slot.interval)
        return FlexibilitySlotOut(
            start_at=start_at,
            end_at=end_at,
            baseline_kw=kw(slot.baseline_w),
            decrease_kw=kw(slot.decrease_w),
            increase_kw=kw(slot.increase_w),
        )

    def block_out(block: FlexibilityBlock) -> FlexibilityBlockOut:
        start_at, end_at = times(block.interval)
        return FlexibilityBlockOut(
            start_at=start_at, end_at=end_at, decrease_kw=kw(block.decrease_w), increase_kw=kw(block.increase_w)
        )

    return FlexibilityOut(
        site_id=offer.site_id,
        issued_at=offer.issued_at.astimezone(zone),
        revision=made.revision,
        connected=None if is_hidden else offer.connected,
        caveat=CAVEAT,
        suppressed=f"fewer than {least_count} vehicles are behind these numbers" if is_hidden else None,
        slots=tuple(slot_out(slot) for slot in offer.slots),
        blocks=tuple(block_out(block) for block in offer.blocks),
    )


def _etag(site_id: str, revision: int) -> str:
    return f'W/"{site_id}-{revision}"'


def _is_known(etag: str, if_none_match: str | None) -> bool:
    """Weak comparison (RFC 9110 §8.8.3.2): the answer is the same as long as the plan is."""
    known = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return "*" in known or etag.removeprefix("W/") in known


@router.get(
    "",
    response_model=FlexibilityOut,
    responses=documented("not_found") | {NO_CHANGE: {"description": "The plan is still the one of If-None-Match"}},
    operation_id="get_flexibility",
    summary="Get a site's flexibility",
)
async def get_flexibility(
    tx: Transaction,
    context: Context,
    _: GridOrOperator,
    response: Response,
    site_id: Annotated[str, Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")],
    if_none_match: Annotated[str | None, Header(max_length=1_000)] = None,
) -> FlexibilityOut | Response:
    """Get what the site's plugged-in cars can offer against the plan; the ETag is the plan's revision."""
    etag = _etag(site_id, await flexibility.revision(tx, site_id))
    if _is_known(etag, if_none_match):
        return Response(status_code=NO_CHANGE, headers={"ETag": etag})
    made = await flexibility.offer(tx, site_id)
    response.headers["ETag"] = _etag(site_id, made.revision)
    return _offer_out(made, context.least_vehicle_count)
