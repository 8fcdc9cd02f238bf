"""The scheduler's gate of raw calls (site-limit rules R1, R3, R5, R8, R10): entered before the bytes leave, left after.

`app.scheduling.gate` decides, under the site's lock; here its decision is written. A call that sets a session's profile
gets an entry in the ledger that holds until a later order of ours is accepted; a call that may lose or bypass profiles
has the defaults of its EVSEs count as unproven before it is sent, and again after, so that no proof is older than it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import Outcome
from app.domain.errors import CommandRefused, NotFound
from app.domain.raw import Effect, Impact, LimitChange
from app.operations import limits, measuring, obedience, proofs
from app.operations.leadership import term_of
from app.operations.transaction import Tx
from app.scheduling.feeders import grid_of
from app.scheduling.gate import Barred, Let, judge
from app.scheduling.orders import ledgers_of
from app.store import station_queries
from app.store.electrical import feeders_of
from app.store.plan import LimitRow, drop_untaken, open_limits
from app.store.site import lock_site
from app.store.specs import entry_of, read_site, site_spec
from app.store.station import StationRow, lock_evses

WITHOUT_END = timedelta(days=400)
RAW_REASON = "raw"


@dataclass(frozen=True, slots=True)
class Passage:
    """A call that was let in: the orders that it counts as, and the EVSEs whose defaults it may cost."""

    station_id: str
    order_nos: tuple[int, ...] = ()
    unproven: tuple[int, ...] = ()


def classified(impact: Impact | None) -> Impact:
    """Return the impact; raises CommandRefused where a call is refused whatever the site's state."""
    if impact is None:
        raise CommandRefused(
            "nobody has classified what this message may do to charging limits, so it is not sent; use a command under"
            " /commands instead"
        )
    if impact.effect is Effect.FORBIDDEN:
        raise CommandRefused(impact.reason or "only Sunslot itself sends this")
    return impact


async def enter(tx: Tx, station_id: str, impact: Impact) -> Passage:
    """Let a call in that is not refused outright; raises CommandRefused, NotFound. It may leave once this is committed.

    R1: what it may do is written first.
    """
    station = await _station(tx, station_id)
    if impact.effect is Effect.HARMLESS:
        return Passage(station_id)
    await lock_site(tx.session, station.site_id)
    tx.ring(site_limits(station.site_id))
    if impact.effect is Effect.UNVERIFIES:
        return Passage(station_id, unproven=await _unprove(tx, station_id, None))
    let = await check(tx, station, impact.changes)
    unproven = await _unprove(tx, station_id, let.unproven)
    return Passage(station_id, await _write(tx, let, await term_of(tx.session, station.site_id)), unproven)


async def check(tx: Tx, station: StationRow, changes: Sequence[LimitChange]) -> Let:
    """Return what has to be written before these changes are sent; raises CommandRefused. The site is locked.

    At least the whole reserve is counted, whatever the meters say: a call has no lease that would end when the load
    rises.
    """
    site_row, pairs = await read_site(tx.session, station.site_id)
    evses = await obedience.doubted(tx, station.site_id, [spec for _, spec in pairs])
    entries = [entry_of(row) for row in await open_limits(tx.session, station.site_id)]
    site = site_spec(site_row, await feeders_of(tx.session, station.site_id))
    ledgers = ledgers_of(evses, entries, tx.now, site.settle)
    busy = await station_queries.running_sessions(tx.session, [evse.evse_id for evse in evses])
    grid = grid_of(site, evses, await measuring.beyond_reserve(tx, site))
    verdict = judge(site, evses, ledgers, busy, grid, station.station_id, changes, tx.now)
    if isinstance(verdict, Barred):
        raise CommandRefused(_advice(verdict), missing_w=verdict.missing_w)
    return verdict


def _advice(barred: Barred) -> str:
    if barred.missing_w is None:
        return barred.reason
    return (
        f"{barred.reason}: {barred.missing_w / 1000:.2f} kW are missing there when all that may be in force is counted;"
        " lower the limit in the call, or wait until other sessions have come down"
    )


async def _write(tx: Tx, let: Let, term: int) -> tuple[int, ...]:
    """Write the entries as taken; orders of ours that no socket took yet would come later but count as earlier."""
    evse_ids = [entry.evse_id for entry in let.entries]
    if not evse_ids:
        return ()
    await drop_untaken(tx.session, LimitRow.evse_id.in_(evse_ids), tx.now)
    sessions = await station_queries.running_sessions(tx.session, evse_ids)
    rows = [
        LimitRow(
            evse_id=entry.evse_id,
            session_id=sessions[entry.evse_id].session_id,
            power_w=entry.power_w,
            reason=RAW_REASON,
            intended_at=tx.now,
            ends_at=tx.now + WITHOUT_END,
            taken_at=tx.now,
            is_closed=False,
            term=term,
        )
        for entry in let.entries
    ]
    tx.session.add_all(rows)
    await tx.session.flush()
    return tuple(row.order_no for row in rows)


async def _unprove(tx: Tx, station_id: str, evse_ids: Sequence[int] | None) -> tuple[int, ...]:
    """Count these EVSEs of the station (None: all) at nameplate; return their ids."""
    if evse_ids is not None and not evse_ids:
        return ()
    rows = (await lock_evses(tx.session, station_id)).values()
    touched = [row for row in rows if evse_ids is None or row.evse_id in evse_ids]
    for row in touched:
        proofs.unprove(row)
    await tx.session.flush()
    return tuple(row.evse_id for row in touched)


async def leave(tx: Tx, passage: Passage, outcome: Outcome | None) -> None:
    """Keep what came of a call, accepted or not; None: an error, a timeout or a hang-up, which frees nothing (R5).

    Defaults that it may have cost are installed and proven again from now on.
    """
    if passage.unproven:
        station = await _station(tx, passage.station_id)
        await _unprove(tx, passage.station_id, passage.unproven)
        tx.ring(station_orders(passage.station_id))
        tx.ring(site_limits(station.site_id))
    for order_no in passage.order_nos:
        await limits.record_outcome(tx, order_no, outcome)


async def _station(tx: Tx, station_id: str) -> StationRow:
    row = await station_queries.station(tx.session, station_id)
    if row is None:
        raise NotFound(f"there is no station {station_id}")
    return row
