"""Rows that tests start from: a site with stations, drivers with tokens, and every row of a table as plain values."""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from app.operations.admission import hash_key
from app.operations.transaction import Tx
from app.store.base import Base
from app.store.driver import BookingRow, DriverRow, TokenRow, VehicleRow
from app.store.site import SiteRow
from app.store.station import EvseRow, StationRow

MORNING = datetime(2026, 4, 1, 7, tzinfo=UTC)
KEY = b"0123456789abcdefghij"
SALT = b"salt"


async def add_site(tx: Tx, site_id: str = "north", **changes) -> SiteRow:
    values = {
        "name": "North car park",
        "zone": "Asia/Tokyo",
        "limit_w": 30_000.0,
        "margin_w": 0.0,
        "reserve_w": 0.0,
        "surprised_count": 0,
        "voltage_v": 200.0,
        "safe_current_a": 6.0,
        "min_current_a": 6.0,
        "default_need_wh": 12_000.0,
        "default_stay": timedelta(hours=8),
        "created_at": tx.now,
    }
    row = SiteRow(site_id=site_id, **(values | changes))
    tx.session.add(row)
    await tx.session.flush()
    return row


async def add_station(tx: Tx, station_id: str = "cp1", site_id: str = "north", evses: int = 1, **changes) -> list[int]:
    """Add a verified, connected station; return its EVSEs' ids."""
    values = {
        "security_profile": 1,
        "key_salt": SALT,
        "key_hash": hash_key(SALT, KEY),
        "dialect": "ocpp1.6",
        "connection_id": "socket-1",
        "needs_boot": False,
        "is_commissioned": True,
        "rate_unit": "A",
        "lease_slack": timedelta(seconds=30),
        "created_at": tx.now,
    }
    tx.session.add(StationRow(station_id=station_id, site_id=site_id, **(values | changes)))
    await tx.session.flush()
    rows = [
        EvseRow(
            station_id=station_id,
            evse_number=number,
            max_current_a=32.0,
            phase_count=1,
            default_verified_at=tx.now - timedelta(minutes=1),
        )
        for number in range(1, evses + 1)
    ]
    tx.session.add_all(rows)
    await tx.session.flush()
    return [row.evse_id for row in rows]


CARD = "CARD-1"


async def add_driver(tx: Tx, token: str | None = CARD, **token_changes) -> uuid.UUID:
    driver_id = uuid.uuid4()
    tx.session.add(DriverRow(driver_id=driver_id, name="Aiko", created_at=tx.now))
    await tx.session.flush()
    if token is not None:
        tx.session.add(TokenRow(token=token, driver_id=driver_id, is_blocked=False, **token_changes))
    await tx.session.flush()
    return driver_id


async def add_car(tx: Tx, driver_id: uuid.UUID, max_charge_w: float | None) -> uuid.UUID:
    vehicle_id = uuid.uuid4()
    tx.session.add(
        VehicleRow(
            vehicle_id=vehicle_id,
            driver_id=driver_id,
            name="car",
            battery_wh=40_000.0,
            consumption_wh_per_km=150.0,
            max_charge_w=max_charge_w,
        )
    )
    await tx.session.flush()
    return vehicle_id


async def add_booking(tx: Tx, driver_id: uuid.UUID, evse_id: int, arrives_at, departs_at, **changes) -> uuid.UUID:
    values = {"booking_id": uuid.uuid4(), "site_id": "north", "is_pinned": False, "need_wh": 9_000.0, "state": "booked"}
    period = Range(arrives_at, departs_at, bounds="[)")
    row = BookingRow(
        driver_id=driver_id, evse_id=evse_id, period=period, created_at=tx.now, changed_at=tx.now, **(values | changes)
    )
    tx.session.add(row)
    await tx.session.flush()
    return row.booking_id


async def dump(tx: Tx, *tables: str, without: tuple[str, ...] = ()) -> dict[str, list[dict]]:
    """Return every row of the tables as plain values, sorted, without some columns."""
    found = {}
    for name in tables:
        table = Base.metadata.tables[name]
        rows = (await tx.session.execute(select(table))).mappings()
        found[name] = sorted(
            ({key: value for key, value in row.items() if key not in without} for row in rows), key=repr
        )
    return found
