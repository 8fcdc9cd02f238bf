"""Stations, strangers that knocked, and quarantined messages."""

import contextlib
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BeforeValidator, Field, StringConstraints

from app.api.deps import Asked, Context, StationCommander, StationKeeper, Transaction
from app.api.models import In, KwOut, MaybeKwOut, Out, PageOut, SiteId, SiteIdQuery, StationId, StationIdPath
from app.api.problems import documented
from app.api.v1.electrical import CurrentOut, EvsePlaceIn, MaxCurrentA
from app.bus.subjects import station_command
from app.domain.commands import Trigger
from app.domain.electrical import EvsePlace
from app.domain.errors import StationFault, StationOffline, StationTimeout
from app.domain.wiring import Wiring
from app.operations import adoption, stations

router = APIRouter(prefix="/v1", tags=["stations"])


TrustedOut = Annotated[bool, BeforeValidator(lambda distrusted_at: distrusted_at is None)]
SerialNumber = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,48}[\x21-\x7e])?$")]


class EvseIn(EvsePlaceIn):
    """An EVSE of a new station, numbered from 1 in the order given."""

    max_current_a: MaxCurrentA


class StationIn(In):
    """A station to provision. `dialect` absent lets it choose; security profile 0 (no password) only if said so.

    Profile 3 compares the certificate's common name with `expected_serial`. A station that is not commissioned may
    connect, and is told to wait.
    """

    station_id: StationId
    site_id: SiteId
    security_profile: Literal[0, 1, 2, 3] = 1
    expected_serial: SerialNumber | None = None
    is_commissioned: Annotated[bool, Field(strict=True)] = True
    dialect: Literal["ocpp1.6", "ocpp2.0.1"] | None = None
    evses: Annotated[list[EvseIn], Field(min_length=1, max_length=64)]


class StationChangeIn(In):
    """What is to change; a security profile is raised elsewhere and never lowered."""

    is_commissioned: Annotated[bool, Field(strict=True)] = True
    expected_serial: SerialNumber | None = None


class EvseIdOut(Out):
    """Which id an EVSE got."""

    evse_id: int
    evse_number: int


class AdoptedOut(Out):
    """A provisioned station; `key` is its password or AuthorizationKey, shown this once."""

    station_id: str
    key: str
    evses: tuple[EvseIdOut, ...]


class EvseOut(Out):
    """An EVSE as it is now. `limit_kw` is in force: the acknowledged lease, else the proven default, else null.

    `is_controllable` is false where the station cannot hold a lease, or where it is known not to do what it is told
    (`is_trusted` false, `distrusted_for` says why): it never gets more than the safe current. `feeder` null: it hangs
    at the site itself; `min_current_a` null: the site's.
    """

    evse_id: int
    evse_number: int
    max_current_a: float
    phase_count: int
    feeder: str | None = Field(validation_alias="feeder_id")
    wiring: Wiring
    min_current_a: float | None
    current: CurrentOut = Field(validation_alias="is_dc")
    nameplate_kw: KwOut = Field(validation_alias="nameplate_w")
    occupancy: str | None
    activity: str | None
    fault: str | None
    status_at: datetime | None
    power_kw: MaybeKwOut = Field(validation_alias="power_w")
    metered_at: datetime | None
    is_verified: bool
    is_controllable: bool
    is_trusted: TrustedOut = Field(validation_alias="distrusted_at")
    distrusted_for: str | None
    limit_kw: MaybeKwOut = Field(validation_alias="limit_w")
    session_id: UUID | None


class StationOut(Out):
    """A station as it is now."""

    station_id: str
    site_id: str
    security_profile: int
    target_profile: int | None
    expected_serial: str | None
    is_key_pending: bool
    dialect: str | None
    is_online: bool
    is_commissioned: bool
    needs_boot: bool
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    booted_at: datetime | None
    connected_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime
    evses: tuple[EvseOut, ...]


class StrangerOut(Out):
    """An identity that tried to connect and is not provisioned."""

    identity: str
    first_seen_at: datetime
    last_seen_at: datetime
    attempt_count: int
    address: str


class QuarantinedOut(Out):
    """A message (part) that was answered, but not believed."""

    quarantine_id: int
    received_at: datetime
    action: str
    reason: str
    payload: Any


@router.post(
    "/stations",
    status_code=201,
    responses=documented("conflict"),
    operation_id="adopt_station",
    summary="Provision a station",
)
async def adopt_station(tx: Transaction, _: StationKeeper, body: StationIn) -> AdoptedOut:
    """Provision a station, or adopt one from the strangers; its key is shown this once."""
    key = await adoption.adopt(
        tx,
        station_id=body.station_id,
        site_id=body.site_id,
        security_profile=body.security_profile,
        evses=[EvsePlace(body.station_id, number, **evse.columns()) for number, evse in enumerate(body.evses, 1)],
        dialect=body.dialect,
        is_commissioned=body.is_commissioned,
        expected_serial=body.expected_serial,
    )
    state = await stations.get(tx, body.station_id)
    evses = tuple(EvseIdOut.model_validate(evse) for evse in state.evses)
    return AdoptedOut(station_id=body.station_id, key=key, evses=evses)


@router.get("/stations", responses=documented(), operation_id="list_stations", summary="List stations")
async def list_stations(
    tx: Transaction, _: StationKeeper, asked: Asked, site_id: SiteIdQuery = None
) -> PageOut[StationOut]:
    """List stations by id with what they do now."""
    return PageOut[StationOut].model_validate(await stations.stations(tx, site_id, asked))


@router.get(
    "/stations/{station_id}", responses=documented("not_found"), operation_id="get_station", summary="Get a station"
)
async def get_station(tx: Transaction, _: StationKeeper, station_id: StationIdPath) -> StationOut:
    """Get one station with what it does now."""
    return StationOut.model_validate(await stations.get(tx, station_id))


@router.patch(
    "/stations/{station_id}",
    responses=documented("not_found", "conflict"),
    operation_id="change_station",
    summary="Change a station",
)
async def change_station(
    context: Context, _: StationCommander, station_id: StationIdPath, body: StationChangeIn
) -> StationOut:
    """Commission a station (it is asked to boot at once), take it out of service, or expect another serial number."""
    values = body.model_dump(exclude_unset=True)
    async with context.transactions() as tx:
        await stations.change(tx, station_id, values)
    if values.get("is_commissioned"):
        with contextlib.suppress(StationOffline, StationTimeout, StationFault):  # it boots by itself then, later
            await context.bus.ask(station_command(station_id), Trigger("boot"), context.command_timeout_s)
    async with context.transactions() as tx:
        return StationOut.model_validate(await stations.get(tx, station_id))


@router.delete(
    "/stations/{station_id}",
    status_code=204,
    responses=documented("not_found", "conflict"),
    operation_id="remove_station",
    summary="Remove a station",
)
async def remove_station(tx: Transaction, _: StationKeeper, station_id: StationIdPath) -> None:
    """Remove a station that nothing refers to and hang up on it; its commands stay in the audit."""
    await stations.remove(tx, station_id)


@router.get(
    "/stations/{station_id}/quarantine",
    responses=documented("not_found"),
    operation_id="list_quarantine",
    summary="List a station's quarantined messages",
)
async def list_quarantine(
    tx: Transaction, _: StationKeeper, station_id: StationIdPath, asked: Asked
) -> PageOut[QuarantinedOut]:
    """List messages that were answered but not believed, newest first."""
    return PageOut[QuarantinedOut].model_validate(await stations.quarantine(tx, station_id, asked))


@router.get("/strangers", responses=documented(), operation_id="list_strangers", summary="List strangers")
async def list_strangers(tx: Transaction, _: StationKeeper, asked: Asked) -> PageOut[StrangerOut]:
    """List unknown identities that tried to connect."""
    return PageOut[StrangerOut].model_validate(await stations.strangers(tx, asked))
