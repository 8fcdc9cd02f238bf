"""Bookings."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from app.api.deps import Asked, DriverOrOperator, Transaction
from app.api.models import EvseId, EvseNumber, Instant, KwhOut, Out, PageOut, SiteId, SiteIdQuery, StationId
from app.api.problems import documented
from app.api.v1.wishes import WishIn
from app.domain.errors import Invalid
from app.domain.identity import Principal
from app.operations import bookings, idempotency
from app.operations.access import owner_of
from app.operations.bookings import BookingChange, NewBooking
from app.operations.idempotency import Kept

router = APIRouter(prefix="/v1/bookings", tags=["bookings"])

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="the same key with the same body gives the same answer, and one booking",
    ),
]
State = Literal["booked", "arrived", "done", "missed", "cancelled"]
CREATED = 201


class BookingIn(WishIn):
    """A stay. Without an EVSE the site chooses one that fits, and may change it; drivers book for themselves.

    An EVSE is `evse_id`, or `station_id` with `evse_number` (absent: 1).
    """

    site_id: SiteId
    driver_id: UUID | None = None
    evse_id: EvseId | None = None
    station_id: StationId | None = None
    evse_number: EvseNumber | None = None
    arrives_at: Instant
    departs_at: Instant


class BookingChangeIn(WishIn):
    """What to change; absent fields stay."""

    arrives_at: Instant | None = None
    departs_at: Instant | None = None


class BookingOut(Out):
    """A booking with the EVSE that it has now. `is_pinned`: the driver chose it."""

    booking_id: UUID
    site_id: str
    station_id: str
    evse_id: int
    evse_number: int
    is_pinned: bool
    driver_id: UUID
    vehicle_id: UUID | None
    arrives_at: datetime
    departs_at: datetime
    energy_kwh: KwhOut = Field(validation_alias="need_wh")
    state: State
    created_at: datetime
    changed_at: datetime


def _for_whom(caller: Principal, body: BookingIn) -> UUID:
    owner_id = owner_of(caller)
    if owner_id is None and body.driver_id is None:
        raise Invalid("is needed", field="driver_id")
    if owner_id is not None and body.driver_id not in {None, owner_id}:
        raise Invalid("there is no such driver", field="driver_id")
    return body.driver_id or owner_id  # type: ignore[return-value]


@router.post(
    "",
    status_code=CREATED,
    response_model=BookingOut,
    responses=documented("booking_refused", "conflict", "idempotency_mismatch"),
    operation_id="create_booking",
    summary="Book a stay",
)
async def create_booking(
    tx: Transaction, caller: DriverOrOperator, body: BookingIn, idempotency_key: IdempotencyKey = None
) -> Response:
    """Book a stay at a site or at a given EVSE; a refusal names alternatives."""
    if idempotency_key is not None:
        kept = await idempotency.begin(tx, caller, idempotency_key, f"POST /v1/bookings {body.model_dump_json()}")
        if kept is not None:
            return _answer(kept, is_replayed=True)
    wanted = NewBooking(
        driver_id=_for_whom(caller, body),
        site_id=body.site_id,
        arrives_at=body.arrives_at,
        departs_at=body.departs_at,
        wish=body.wish(),
        evse_id=body.evse_id,
        station_id=body.station_id,
        evse_number=body.evse_number,
    )
    booked = BookingOut.model_validate(await bookings.book(tx, wanted))
    kept = Kept(CREATED, booked.model_dump_json())
    if idempotency_key is not None:
        await idempotency.finish(tx, caller, idempotency_key, kept)
    return _answer(kept, is_replayed=False)


def _answer(kept: Kept, *, is_replayed: bool) -> Response:
    headers = {"Idempotency-Replayed": "true"} if is_replayed else None
    return Response(kept.body, kept.status, headers, media_type="application/json")


@router.get("", responses=documented(), operation_id="list_bookings", summary="List bookings")
async def list_bookings(
    tx: Transaction,
    caller: DriverOrOperator,
    asked: Asked,
    site_id: SiteIdQuery = None,
    driver_id: Annotated[UUID | None, Query(description="one driver's alone (operators)")] = None,
    state: State | None = None,
) -> PageOut[BookingOut]:
    """List bookings by arrival; drivers see their own."""
    whose = owner_of(caller) or driver_id
    page = await bookings.bookings(tx, asked, driver_id=whose, site_id=site_id, state=state)
    return PageOut[BookingOut].model_validate(page)


@router.get("/{booking_id}", responses=documented("not_found"), operation_id="get_booking", summary="Get a booking")
async def get_booking(tx: Transaction, caller: DriverOrOperator, booking_id: UUID) -> BookingOut:
    """Get a booking."""
    return BookingOut.model_validate(await bookings.get(tx, booking_id, owner_of(caller)))


@router.patch(
    "/{booking_id}",
    responses=documented("not_found", "conflict", "booking_refused"),
    operation_id="change_booking",
    summary="Change a booking",
)
async def change_booking(
    tx: Transaction, caller: DriverOrOperator, booking_id: UUID, body: BookingChangeIn
) -> BookingOut:
    """Change times or energy, also while plugged in; refused changes leave the booking as it was."""
    change = BookingChange(body.arrives_at, body.departs_at, body.wish() if body.says_something() else None)
    return BookingOut.model_validate(await bookings.change(tx, booking_id, change, owner_of(caller)))


@router.delete(
    "/{booking_id}",
    responses=documented("not_found", "conflict"),
    operation_id="cancel_booking",
    summary="Cancel a booking",
)
async def cancel_booking(tx: Transaction, caller: DriverOrOperator, booking_id: UUID) -> BookingOut:
    """Cancel a booking; cancelling again changes nothing."""
    return BookingOut.model_validate(await bookings.cancel(tx, booking_id, owner_of(caller)))
