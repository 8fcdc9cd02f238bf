"""Drivers, their tokens and their cars."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from pydantic import Field

from app.api.deps import Asked, DriverOrOperator, Operator, Transaction
from app.api.models import Card, In, Instant, KwhOut, MaybeKwOut, Out, PageOut, SomeEnergyKwh, SomePowerKw, Text
from app.api.problems import documented
from app.domain.units import w_from_kw, wh_from_kwh
from app.operations import drivers, vehicles
from app.operations.access import owner_of

router = APIRouter(prefix="/v1/drivers", tags=["drivers"])

CardPath = Annotated[str, Path(pattern=r"^[\x21-\x7e]{1,36}$")]


class DriverIn(In):
    """A new driver."""

    name: Text


class DriverOut(Out):
    """A driver."""

    driver_id: UUID
    name: str
    created_at: datetime


class TokenIn(In):
    """What the driver presents at stations (RFID UID and the like); upper and lower case are the same."""

    token: Card
    expires_at: Instant | None = None


class TokenChangeIn(In):
    """What is to change; `expires_at` null: never."""

    is_blocked: Annotated[bool, Field(strict=True)] = False
    expires_at: Instant | None = None


class TokenOut(Out):
    """A driver's token."""

    token: str
    is_blocked: bool
    expires_at: datetime | None


class VehicleIn(In):
    """A car: what range costs in energy and how fast it charges (AC); absent: as fast as the EVSE."""

    name: Text
    battery_kwh: SomeEnergyKwh
    consumption_wh_per_km: Annotated[float, Field(strict=True, ge=20, le=2_000, allow_inf_nan=False)]
    max_charge_kw: SomePowerKw | None = None


class VehicleOut(Out):
    """A car."""

    vehicle_id: UUID
    name: str
    battery_kwh: KwhOut = Field(validation_alias="battery_wh")
    consumption_wh_per_km: float
    max_charge_kw: MaybeKwOut = Field(validation_alias="max_charge_w")


class TokensOut(Out):
    """All tokens of a driver."""

    items: tuple[TokenOut, ...]


class VehiclesOut(Out):
    """All cars of a driver."""

    items: tuple[VehicleOut, ...]


@router.post("", status_code=201, responses=documented(), operation_id="create_driver", summary="Add a driver")
async def create_driver(tx: Transaction, _: Operator, body: DriverIn) -> DriverOut:
    """Add a driver."""
    return DriverOut.model_validate(await drivers.create(tx, body.name))


@router.get("", responses=documented(), operation_id="list_drivers", summary="List drivers")
async def list_drivers(tx: Transaction, _: Operator, asked: Asked) -> PageOut[DriverOut]:
    """List drivers, oldest first."""
    return PageOut[DriverOut].model_validate(await drivers.drivers(tx, asked))


@router.get("/{driver_id}", responses=documented("not_found"), operation_id="get_driver", summary="Get a driver")
async def get_driver(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> DriverOut:
    """Get a driver; drivers see only themselves."""
    return DriverOut.model_validate(await drivers.get(tx, driver_id, owner_of(caller)))


@router.delete(
    "/{driver_id}",
    status_code=204,
    responses=documented("not_found"),
    operation_id="erase_driver",
    summary="Erase a driver",
)
async def erase_driver(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> None:
    """Erase a driver with tokens, cars, bookings and access tokens; energy records stay without the person."""
    await drivers.erase(tx, driver_id, owner_of(caller))


@router.post(
    "/{driver_id}/tokens",
    status_code=201,
    responses=documented("not_found", "conflict"),
    operation_id="add_token",
    summary="Give a driver a token",
)
async def add_token(tx: Transaction, _: Operator, driver_id: UUID, body: TokenIn) -> TokenOut:
    """Give a driver a token; it is stored in upper case."""
    return TokenOut.model_validate(await drivers.add_token(tx, driver_id, body.token, body.expires_at))


@router.get("/{driver_id}/tokens", responses=documented("not_found"), operation_id="list_tokens", summary="List tokens")
async def list_tokens(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> TokensOut:
    """List a driver's tokens."""
    rows = await drivers.tokens(tx, driver_id, owner_of(caller))
    return TokensOut(items=tuple(TokenOut.model_validate(row) for row in rows))


@router.patch(
    "/{driver_id}/tokens/{token}",
    responses=documented("not_found"),
    operation_id="change_token",
    summary="Block a token, or change its end",
)
async def change_token(tx: Transaction, _: Operator, driver_id: UUID, token: CardPath, body: TokenChangeIn) -> TokenOut:
    """Block a token or give it free: stations hear so from their next question on."""
    values = body.model_dump(exclude_unset=True)
    return TokenOut.model_validate(await drivers.change_token(tx, driver_id, token, values))


@router.delete(
    "/{driver_id}/tokens/{token}",
    status_code=204,
    responses=documented("not_found"),
    operation_id="remove_token",
    summary="Take a token from a driver",
)
async def remove_token(tx: Transaction, _: Operator, driver_id: UUID, token: CardPath) -> None:
    """Take a token from a driver: stations refuse it from now on."""
    await drivers.remove_token(tx, driver_id, token)


@router.post(
    "/{driver_id}/vehicles",
    status_code=201,
    responses=documented("not_found"),
    operation_id="add_vehicle",
    summary="Add a car",
)
async def add_vehicle(tx: Transaction, caller: DriverOrOperator, driver_id: UUID, body: VehicleIn) -> VehicleOut:
    """Add a car to a driver."""
    values = {
        "name": body.name,
        "battery_wh": wh_from_kwh(body.battery_kwh),
        "consumption_wh_per_km": body.consumption_wh_per_km,
        "max_charge_w": None if body.max_charge_kw is None else w_from_kw(body.max_charge_kw),
    }
    return VehicleOut.model_validate(await vehicles.add(tx, driver_id, values, owner_of(caller)))


@router.get(
    "/{driver_id}/vehicles", responses=documented("not_found"), operation_id="list_vehicles", summary="List cars"
)
async def list_vehicles(tx: Transaction, caller: DriverOrOperator, driver_id: UUID) -> VehiclesOut:
    """List a driver's cars."""
    rows = await vehicles.vehicles(tx, driver_id, owner_of(caller))
    return VehiclesOut(items=tuple(VehicleOut.model_validate(row) for row in rows))


@router.delete(
    "/{driver_id}/vehicles/{vehicle_id}",
    status_code=204,
    responses=documented("not_found"),
    operation_id="remove_vehicle",
    summary="Take a car from a driver",
)
async def remove_vehicle(tx: Transaction, caller: DriverOrOperator, driver_id: UUID, vehicle_id: UUID) -> None:
    """Take a car from a driver."""
    await vehicles.remove(tx, driver_id, vehicle_id, owner_of(caller))
