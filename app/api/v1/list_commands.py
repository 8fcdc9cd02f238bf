"""Commands on what stations know of tokens: the cache, the local list, reservations."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, model_validator

from app.api.models import Card, In, Instant
from app.api.v1.command_desk import ANSWERS, Desk, OutcomeOut, ReservedOut, outcome_out
from app.domain.commands import Outcome, Rejected
from app.domain.facts import TokenStatus
from app.domain.upkeep import ClearCache, LocalListEntry, ReadLocalListVersion, SendLocalList
from app.operations import local_lists, reservations
from app.operations.transaction import Tx

router = APIRouter(prefix="/v1/stations/{station_id}/commands", tags=["commands"], responses=ANSWERS)

ReservationNumber = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
MISMATCH = "VersionMismatch"


class EntryIn(In):
    """One token; `status` null (only in a difference) takes it off the list."""

    token: Card
    status: TokenStatus | None = TokenStatus.ACCEPTED
    expires_at: Instant | None = None


class LocalListIn(In):
    """Either the entries themselves, or `source: drivers`: the tokens of all drivers with what they may do now.

    A full list replaces what the station has; a difference adds to it and changes it. Tokens that were deleted leave
    the station with the next full list.
    """

    source: Literal["entries", "drivers"] = "entries"
    is_full: Annotated[bool, Field(strict=True)] = True
    entries: Annotated[list[EntryIn], Field(max_length=local_lists.MOST_ENTRIES_COUNT)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "LocalListIn":
        if (self.entries is None) == (self.source == "entries"):
            raise ValueError("entries are needed exactly where source is not drivers")
        if self.is_full and any(entry.status is None for entry in self.entries or ()):
            raise ValueError("a full list has a status for every entry")
        return self


class ReserveIn(In):
    """Keep an EVSE (0: any one) for a token."""

    evse_number: Annotated[int, Field(strict=True, ge=0, le=64, description="0: any one")]
    token: Card
    expires_at: Instant


class CancelIn(In):
    """A reservation by its number."""

    reservation_id: ReservationNumber


@router.post("/clear-cache", operation_id="clear_cache", summary="Clear the authorization cache")
async def clear_cache(desk: Desk) -> OutcomeOut:
    """Have the station forget which tokens it let charge."""
    return await desk.send(ClearCache())


@router.post("/local-list-version", operation_id="read_local_list_version", summary="Read the local list's version")
async def local_list_version(desk: Desk) -> OutcomeOut:
    """Ask which version of the local list the station has; 0 or less: none."""
    return await desk.send(ReadLocalListVersion())


@router.post("/send-local-list", operation_id="send_local_list", summary="Send the local list")
async def send_local_list(desk: Desk, body: LocalListIn) -> OutcomeOut:
    """Send a list, or a difference, as the version after the one that the station has."""
    told = await desk.outcome_of(ReadLocalListVersion())
    async with desk.context.transactions() as tx:
        entries = await local_lists.of_drivers(tx) if body.entries is None else _entries(body.entries)
        version = await local_lists.next_version(tx, desk.station_id, told)
    command = SendLocalList(version, body.is_full, entries)

    async def settle(tx: Tx, result: Outcome | str) -> None:
        if not isinstance(result, str):
            await local_lists.answered(tx, desk.station_id, command, result)

    outcome = await desk.outcome_of(command, settle)
    answer = outcome_out(outcome)
    detail: dict[str, Any] = {"version": version, "entry_count": len(entries)}
    if isinstance(outcome, Rejected) and outcome.reason == MISMATCH:
        detail |= {"advice": "the station has another version than it told: send the full list"}
    return answer.model_copy(update={"detail": answer.detail | detail})


def _entries(given: list[EntryIn]) -> tuple[LocalListEntry, ...]:
    return tuple(LocalListEntry(entry.token.upper(), entry.status, entry.expires_at) for entry in given)


@router.post("/reserve", operation_id="reserve_evse", summary="Reserve an EVSE at the station")
async def reserve(desk: Desk, body: ReserveIn) -> ReservedOut:
    """Have the station keep an EVSE free for a token. Bookings of the calendar are another thing: see /v1/bookings."""
    async with desk.context.transactions() as tx:
        command = await reservations.reserve(tx, desk.station_id, body.evse_number, body.token.upper(), body.expires_at)

    async def settle(tx: Tx, result: Outcome | str) -> None:
        await reservations.answered(tx, desk.station_id, command, result)

    outcome = await desk.outcome_of(command, settle)
    return ReservedOut(reservation_id=command.reservation_id, **outcome_out(outcome).model_dump())


@router.post("/cancel-reservation", operation_id="cancel_reservation", summary="Cancel a reservation")
async def cancel_reservation(desk: Desk, body: CancelIn) -> OutcomeOut:
    """Have the station forget a reservation."""
    async with desk.context.transactions() as tx:
        command = await reservations.cancel(tx, desk.station_id, body.reservation_id)

    async def settle(tx: Tx, result: Outcome | str) -> None:
        await reservations.answered(tx, desk.station_id, command, result)

    return outcome_out(await desk.outcome_of(command, settle))
