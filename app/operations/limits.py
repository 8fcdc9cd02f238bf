"""The limit loop's database side: what is allocated is written before it is sent, and what came of it is kept.

Site-limit rules: R1 the entry exists before its bytes leave, R5 only an acknowledgement or the lease's end frees power,
R7 everything is read from the database each time, R8 unproven defaults count as nameplate, R9 what another leader's
term has overtaken is refused by the database.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select

from app.bus.subjects import site_limits, station_orders
from app.domain.commands import Outcome, Rejected, Unsupported
from app.domain.limits import LimitIntent, LimitOrder
from app.domain.snapshot import EvseSpec
from app.operations import measuring, obedience
from app.operations.leadership import term_of
from app.operations.proofs import place
from app.operations.transaction import Tx
from app.scheduling.cycle import decide, open_books
from app.scheduling.demand_guard import capped, cars_of
from app.scheduling.feeders import grid_of
from app.scheduling.following import CALM_SHARE, Line, Sun
from app.scheduling.ledger import base_w
from app.scheduling.orders import settled, taken
from app.store.base import among, stored_text
from app.store.electrical import feeders_of
from app.store.plan import (
    DesiredLimitRow,
    LimitRow,
    close_limits,
    desired_limits,
    drop_untaken,
    newest_limits,
    open_limits,
    untaken_limits,
)
from app.store.site import lock_site
from app.store.specs import entry_of, evse_spec, read_site, site_spec
from app.store.station import EvseRow, StationRow

SAME_W = 1.0


async def allocate_site(tx: Tx, site_id: str, term: int | None = None) -> datetime:
    """Run one cycle of the limit loop: write the intents that may be sent now; return when to look again.

    `term` is the one of `leadership.lead`, which has locked the site; without it the site is locked here, and its
    current term is used. Raises NotFound for no such site, Fenced where the term leads no more (R9).
    """
    if term is None:
        await lock_site(tx.session, site_id)
        term = await term_of(tx.session, site_id)
    row, pairs = await read_site(tx.session, site_id)
    site, evses = site_spec(row, await feeders_of(tx.session, site_id)), [spec for _, spec in pairs]
    await _drop_unsendable(tx, evses)
    entries = [entry_of(row) for row in await open_limits(tx.session, site_id)]
    watched = await obedience.watch(tx, site, pairs, entries)
    books = open_books(site, watched.evses, entries, tx.now)
    desired = await desired_limits(tx.session, site_id)
    cars = cars_of(watched.evses, books.ledgers, books.possible_w, {each.evse_id for each, _ in desired})
    measured = await measuring.look(tx, site, cars)
    grid = grid_of(site, watched.evses, measured.loads)
    excesses = grid.excesses(books.possible_w)
    resting = grid.resting(books.possible_w, {evse_id: base_w(each) for evse_id, each in books.ledgers.items()})
    await measuring.tell(tx, site_id, measured, excesses, resting)
    await obedience.tell(tx, site, pairs, watched, is_contained=not excesses)
    newest = await newest_limits(tx.session, [each.session_id for each, _ in desired])
    decided = decide(
        books,
        [_line_of(row) for row, _ in desired],
        {str(session_id): entry_of(row) for session_id, row in newest.items()},
        Sun(max((surplus_w for _, surplus_w in desired), default=0.0), measured.surplus_w),
        capped(grid, measured.cap_w, cars),
        measured.cap_w,
        watched.judgements,
    )
    await close_limits(tx.session, decided.closed)
    await _write(tx, decided.intents, term)
    stations = {evse.evse_id: evse.station_id for evse in evses}
    for intent in decided.intents:
        tx.ring(station_orders(stations[intent.evse_id]))
    return decided.wake_at if measured.wake_at is None else min(decided.wake_at, measured.wake_at)


async def _drop_unsendable(tx: Tx, evses: Sequence[EvseSpec]) -> None:
    """Nobody will take orders of stations that are offline, of EVSEs unproven again, or without leases (R6)."""
    evse_ids = [evse.evse_id for evse in evses if not evse.is_ready]
    if evse_ids:
        await drop_untaken(tx.session, among(LimitRow.evse_id, evse_ids), tx.now)


def _line_of(row: DesiredLimitRow) -> Line:
    """Return what is planned as a value; where only a target is known it is what must be, neither more nor less."""
    target_w = row.target_w
    return Line(
        evse_id=row.evse_id,
        session_id=str(row.session_id),
        planned_w=target_w if row.planned_w is None else row.planned_w,
        must_w=target_w if row.must_w is None else row.must_w,
        most_w=target_w if row.most_w is None else row.most_w,
        need_wh=row.need_wh or 0.0,
        departs_at=row.departs_at,
    )


async def _write(tx: Tx, intents: Sequence[LimitIntent], term: int) -> None:
    """Write the intents, superseding what no socket has taken yet; their numbers follow their order."""
    if not intents:
        return
    await drop_untaken(tx.session, among(LimitRow.evse_id, [intent.evse_id for intent in intents]), tx.now)
    for intent in intents:
        tx.session.add(
            LimitRow(
                evse_id=intent.evse_id,
                session_id=uuid.UUID(intent.session_id),
                power_w=intent.power_w,
                reason=intent.reason,
                intended_at=tx.now,
                lease_ends_at=intent.lease_ends_at,
                ends_at=intent.ends_at,
                is_closed=False,
                term=term,
                switched_at=intent.switched_at,
            )
        )
    await tx.session.flush()


async def take_orders(tx: Tx, station_id: str) -> tuple[LimitOrder, ...]:
    """Hand the newest untaken order of each of the station's EVSEs to its socket, by EVSE number.

    They may be sent once this is committed. Superseded ones, those of ended sessions and of EVSEs that are unproven
    again, and those whose lease is nearly over are closed as never sent.
    """
    site, station = await place(tx, station_id)
    untaken = {found[0].order_no: found for found in await untaken_limits(tx.session, station_id)}
    running = {
        evse.evse_id: str(each.session_id)
        for _, evse, each in untaken.values()
        if each.ended_at is None and evse.default_verified_at is not None and evse.distrusted_at is None
    }
    entries = taken([entry_of(row) for row, _, _ in untaken.values()], running, tx.now)
    orders = []
    for entry in entries:
        row, evse, charging = untaken.pop(entry.order_no)
        row.taken_at = tx.now
        orders.append(_order(row, evse_spec(evse, station, site), charging.station_ref))
    for row, _, _ in untaken.values():
        row.outcome, row.outcome_at, row.is_closed = "unsent", tx.now, True
    return tuple(sorted(orders, key=lambda order: order.evse_number))


def _order(row: LimitRow, evse: EvseSpec, station_ref: str) -> LimitOrder:
    return LimitOrder(
        order_no=row.order_no,
        station_id=evse.station_id,
        evse_number=evse.evse_number,
        station_ref=station_ref,
        power_w=row.power_w,
        safe_power_w=evse.safe_power_w,
        intended_at=row.intended_at,
        lease_ends_at=row.lease_ends_at or row.ends_at,
        w_per_a=evse.w_per_a,
        phase_count=evse.phase_count,
    )


async def record_outcome(tx: Tx, order_no: int, outcome: Outcome | None) -> None:
    """Keep what came of an order; None: an error, a timeout or a hang-up, which frees nothing (rule R5).

    A late answer replaces "unknown"; a second answer changes nothing.
    """
    row = await tx.session.get(LimitRow, order_no, with_for_update=True, populate_existing=True)
    if row is None:
        return
    before = entry_of(row)
    after = settled(before, outcome, tx.now)
    if after is before:
        return
    row.outcome_at = tx.now
    row.outcome = "accepted" if after.accepted_at else "refused" if after.is_refused else "unknown"
    if isinstance(outcome, Rejected | Unsupported):
        row.outcome_detail, row.is_closed = stored_text(outcome.reason, 200), True
    if row.outcome == "accepted" and row.reason == "renew" and await _is_as_desired(tx, row):
        return
    site_id = select(StationRow.site_id).join(EvseRow, EvseRow.station_id == StationRow.station_id)
    tx.ring(site_limits((await tx.session.scalars(site_id.where(EvseRow.evse_id == row.evse_id))).one()))


async def _is_as_desired(tx: Tx, row: LimitRow) -> bool:
    """Whether the order is near what is wanted there: then its acceptance changes nothing for the limit loop."""
    desired = await tx.session.get(DesiredLimitRow, row.evse_id, populate_existing=True)
    if desired is None:
        return True
    return abs(desired.target_w - row.power_w) < max(SAME_W, CALM_SHARE * (desired.most_w or 0.0))
