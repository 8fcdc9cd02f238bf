"""The gate of imperative commands (site-limit rule R10): nothing here may raise a limit or hide what is in force.

`prepare` runs in its own transaction before a command is sent, `conclude` in another one after it, whatever came back.
"""

from uuid import UUID

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import ClearProfile, Command, Reboot, StopSession, WriteSetting
from app.domain.errors import Conflict, Invalid, NotFound, StationOffline
from app.domain.raw import ChangeKind, LimitChange
from app.domain.upkeep import ReadSessionStatus, SendVendorMessage, UpdateFirmware
from app.operations import raw_door
from app.operations.setting_gate import check_setting
from app.operations.transaction import Tx
from app.store import session_queries, station_queries
from app.store.site import lock_site

LOSES_PROFILES = (ClearProfile, Reboot, UpdateFirmware, SendVendorMessage)


async def stop_of(tx: Tx, station_id: str, session_id: UUID) -> StopSession:
    """Return the command that ends a session; raises NotFound, Conflict when it does not run at this station."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    row = await session_queries.running_session_of_station(tx.session, station_id, session_id)
    if row is None:
        raise Conflict("no such session runs at this station", field="session_id")
    return StopSession(row.station_ref)


async def session_status_of(tx: Tx, station_id: str, session_id: UUID | None) -> ReadSessionStatus:
    """Return the command that asks for the state of a session of this station, running or not; None: of its messages.

    Raises NotFound, Conflict.
    """
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    if session_id is None:
        return ReadSessionStatus()
    row = await session_queries.session_of_station(tx.session, station_id, session_id)
    if row is None:
        raise Conflict("the station has had no such session", field="session_id")
    return ReadSessionStatus(row.station_ref)


async def prepare(tx: Tx, station_id: str, command: Command) -> None:
    """Let a command pass; raises NotFound, CommandRefused, StationOffline, or Invalid where there is no such EVSE.

    Before profiles may be lost (cleared, reset, new firmware, vendor messages) the station's defaults count as
    unproven: the ledger counts nameplates. Clearing profiles needs the room for that (rule R3); the others are covered
    by the site's margin. Nobody is asked to prove the defaults again yet, so that the proof cannot be older than the
    command's effect. A station that is not connected keeps its proof: it will not hear of the command.
    """
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    if isinstance(command, WriteSetting):
        check_setting(command.name, command.value)
    number = getattr(command, "evse_number", None)
    if number and await station_queries.evse_of_station(tx.session, station_id, number) is None:
        raise Invalid("the station has no such EVSE", field="evse_number")
    if isinstance(command, LOSES_PROFILES) and row.connection_id is None:
        raise StationOffline(f"{station_id} is not connected")
    if isinstance(command, ClearProfile):
        await lock_site(tx.session, row.site_id)
        await raw_door.check(tx, row, (LimitChange(ChangeKind.CLEARED, None),))
    if isinstance(command, LOSES_PROFILES):
        await station_queries.unverify_station(tx.session, station_id)
        tx.ring(site_limits(row.site_id))


async def conclude(tx: Tx, station_id: str, command: Command) -> None:
    """After a command was sent, accepted or not: have lost defaults installed and proven again."""
    if not isinstance(command, LOSES_PROFILES):
        return
    row = await station_queries.station(tx.session, station_id)
    if row is not None:
        await station_queries.unverify_station(tx.session, station_id)
        tx.ring(station_orders(station_id))
        tx.ring(site_limits(row.site_id))
