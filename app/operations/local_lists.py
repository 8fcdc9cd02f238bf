"""Lists of tokens that stations keep for when they are offline (OCPP 1.6 §3.5.2, 2.0.1 D01)."""

from app.domain.commands import Accepted, Outcome
from app.domain.errors import Conflict, NotFound
from app.domain.facts import TokenStatus
from app.domain.upkeep import LocalListEntry, SendLocalList
from app.operations.transaction import Tx
from app.store import driver_queries, station_queries
from app.store.driver import TokenRow
from app.store.station import StationRow

MOST_ENTRIES_COUNT = 2_000
HIGHEST_VERSION = 2**31 - 1


async def of_drivers(tx: Tx) -> tuple[LocalListEntry, ...]:
    """Return the tokens of all drivers with what they may do now; raises Conflict for more than 2,000."""
    rows = await driver_queries.all_tokens(tx.session, MOST_ENTRIES_COUNT + 1)
    if len(rows) > MOST_ENTRIES_COUNT:
        raise Conflict(
            f"the drivers have more than {MOST_ENTRIES_COUNT} tokens; send the ones that this station needs as entries",
            field="source",
        )
    return tuple(LocalListEntry(row.token.upper(), _status(tx, row), row.expires_at) for row in rows)


def _status(tx: Tx, row: TokenRow) -> TokenStatus:
    if row.is_blocked:
        return TokenStatus.BLOCKED
    is_expired = row.expires_at is not None and row.expires_at <= tx.now
    return TokenStatus.EXPIRED if is_expired else TokenStatus.ACCEPTED


async def next_version(tx: Tx, station_id: str, told: Outcome) -> int:
    """Return the version for the next list: one more than what the station holds, as it told or as we remember.

    Raises NotFound.
    """
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    version = told.detail.get("version") if isinstance(told, Accepted) else None
    held = version if isinstance(version, int) and 0 <= version < HIGHEST_VERSION else 0
    return min(max(held, row.local_list_version or 0) + 1, HIGHEST_VERSION)


async def answered(tx: Tx, station_id: str, command: SendLocalList, outcome: Outcome) -> None:
    """Remember the version of a list that the station took."""
    row = await tx.session.get(StationRow, station_id, with_for_update={"key_share": True}, populate_existing=True)
    if row is not None and isinstance(outcome, Accepted):
        row.local_list_version = command.version
