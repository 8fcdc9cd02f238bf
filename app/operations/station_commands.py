"""The gate of imperative commands (site-limit rule R10): nothing here may raise a limit or hide what is in force.

`prepare` runs in its own transaction before a command is sent, `conclude` in another one after it, whatever came back.
"""

import re
import secrets
from uuid import UUID

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import ClearProfile, Command, ReadComposite, Reboot, StartSession, StopSession, Trigger
from app.domain.errors import Conflict, Invalid, NotFound
from app.operations.transaction import Tx
from app.store import session_queries, station_queries

LIMIT_SETTING = re.compile(
    r"power|current|(?<!s)amp|watt|limit|rate|phase|profile|schedule|smart.?charg|fuse|derat|voltage|nominal"
    r"|load.?(balanc|manag|shar)|factory",
    re.IGNORECASE,
)
IDENTITY_SETTING = re.compile(
    r"authori[sz]ationkey|password|security.?profile|network.?conf|central.?(system|url)|ocpp.?(url|endpoint)|identity",
    re.IGNORECASE,
)


def check_setting(name: str) -> None:
    """Raise Invalid, naming the field, for a setting that only Sunslot itself may change."""
    if IDENTITY_SETTING.search(name):
        raise Invalid("decides how the station logs in; it is not changed here", field="name")
    if LIMIT_SETTING.search(name):
        raise Invalid("may change the charging limit, which only the scheduler sets", field="name")


def remote_start_id() -> int:
    """Return a random positive 31-bit number, as OCPP 2.0.1 F02 wants to tell remote starts apart."""
    return secrets.randbelow(2**31 - 1) + 1


async def stop_of(tx: Tx, station_id: str, session_id: UUID) -> StopSession:
    """Return the command that ends a session; raises NotFound, Conflict when it does not run at this station."""
    if await station_queries.station(tx.session, station_id) is None:
        raise NotFound(f"there is no station {station_id}")
    row = await session_queries.running_session_of_station(tx.session, station_id, session_id)
    if row is None:
        raise Conflict("no such session runs at this station", field="session_id")
    return StopSession(row.station_ref)


async def prepare(tx: Tx, station_id: str, command: Command) -> None:
    """Let a command pass; raises NotFound, or Invalid where the station has no such EVSE.

    Before profiles are cleared or the station is reset, its defaults count as unproven: the ledger counts nameplates.
    Nobody is asked to prove them again yet, so that the proof cannot be older than the command's effect.
    """
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    number = _evse_number(command)
    if number and await station_queries.evse_of_station(tx.session, station_id, number) is None:
        raise Invalid("the station has no such EVSE", field="evse_number")
    if _loses_profiles(command):
        await station_queries.unverify_station(tx.session, station_id)
        tx.ring(site_limits(row.site_id))


async def conclude(tx: Tx, station_id: str, command: Command) -> None:
    """After a command was sent, accepted or not: have lost defaults installed and proven again."""
    if not _loses_profiles(command):
        return
    row = await station_queries.station(tx.session, station_id)
    if row is not None:
        await station_queries.unverify_station(tx.session, station_id)
        tx.ring(station_orders(station_id))
        tx.ring(site_limits(row.site_id))


def _loses_profiles(command: Command) -> bool:
    return isinstance(command, ClearProfile | Reboot)


def _evse_number(command: Command) -> int | None:
    if isinstance(command, StartSession | Trigger | ClearProfile | ReadComposite):
        return command.evse_number
    return None
