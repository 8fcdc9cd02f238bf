"""Multi-station truth: what every station believes was acknowledged, compared with what the database holds."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select

from app.operations.transaction import Tx
from app.scheduling.feeders import grid_of
from app.store.plan import LimitRow
from app.store.session import MeterValueRow, SessionRow
from app.store.specs import read_site, site_spec

REGISTER = "Energy.Active.Import.Register"
METER_TOLERANCE_WH = 1.01
FULL_SHARE = 0.97


async def differences(tx: Tx, journal: dict[str, Any]) -> list[str]:
    """Return one line per thing lost, doubled or different; empty when both sides agree."""
    found: list[str] = []
    rows = (await tx.session.scalars(select(SessionRow))).all()
    stored = {(row.station_id, row.station_ref): row for row in rows}
    told = [(station_id, entry) for station_id, book in journal.items() for entry in book["transactions"]]
    for station_id, entry in told:
        row = stored.pop((station_id, str(entry["ref"])), None)
        found += [f"{station_id} transaction {entry['ref']} lost"] if row is None else _compare(row, entry)
    found += [f"{station_id} session {ref} is stored, but no station knows it" for station_id, ref in stored]
    found += await _register_differences(tx, journal)
    return found


def _compare(row: SessionRow, entry: dict[str, Any]) -> list[str]:
    checks = {
        "start": (row.started_at, _at(entry["started_at"])),
        "end": (row.ended_at, _at(entry["ended_at"])),
        "token": ((row.token or "").upper(), str(entry["token"] or "").upper()),
    }
    name = f"{row.station_id} session {row.station_ref}"
    found = [f"{name}: {what} {ours} here, {theirs} there" for what, (ours, theirs) in checks.items() if ours != theirs]
    for what, ours_wh, theirs_wh in (
        ("meter at start", row.meter_start_wh, entry["meter_start_wh"]),
        ("meter at end", row.meter_last_wh, entry["meter_stop_wh"]),
    ):
        if theirs_wh is not None and (ours_wh is None or abs(ours_wh - theirs_wh) > METER_TOLERANCE_WH):
            found.append(f"{name}: {what} {ours_wh} here, {theirs_wh} there")
    return found


def _at(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


async def _register_differences(tx: Tx, journal: dict[str, Any]) -> list[str]:
    query = select(MeterValueRow.station_id, MeterValueRow.evse_number, MeterValueRow.at, MeterValueRow.value).where(
        MeterValueRow.measurand == REGISTER, MeterValueRow.context == "Sample.Periodic"
    )
    stored = Counter(
        (station_id, evse_number, at, round(value))
        for station_id, evse_number, at, value in await tx.session.execute(query)
    )
    told = Counter(
        (station_id, evse_number, datetime.fromisoformat(at), round(register_wh))
        for station_id, book in journal.items()
        for evse_number, at, register_wh in book["registers"]
    )
    lost, extra = told - stored, stored - told
    return [f"{key[0]} register at {key[2].isoformat()} lost or different" for key in lost] + [
        f"{key[0]} register at {key[2].isoformat()} stored, but never acknowledged or twice" for key in extra
    ]


async def limit_counts(tx: Tx) -> tuple[int, int]:
    """Return how many limits were handed to sockets, and how many of them were accepted."""
    query = select(func.count(LimitRow.taken_at), func.count().filter(LimitRow.outcome == "accepted")).select_from(
        LimitRow
    )
    sent_count, accepted_count = (await tx.session.execute(query)).one()
    return int(sent_count), int(accepted_count)


async def minutes_allotted(tx: Tx, starts_at: datetime, ends_at: datetime, site_id: str) -> int:
    """Return in how many minutes accepted limits and the other EVSEs' safe powers used up what the site has for cars.

    That is when the limit holds cars back, whether or not they all draw what they may. The margin for stations that
    forget their limits is not for cars.
    """
    row, pairs = await read_site(tx.session, site_id)
    evses = [spec for _, spec in pairs]
    room_w = grid_of(site_spec(row), evses).capacity_w()
    safe_w = {evse.evse_id: evse.safe_power_w for evse in evses}
    query = (
        select(LimitRow.evse_id, LimitRow.power_w, LimitRow.outcome_at, LimitRow.ends_at, SessionRow.ended_at)
        .join(SessionRow, SessionRow.session_id == LimitRow.session_id)
        .where(LimitRow.outcome == "accepted")
        .order_by(LimitRow.order_no)
    )
    spells = (await tx.session.execute(query)).all()
    count, at = 0, starts_at
    while at < ends_at:
        held_w = dict(safe_w)
        for evse_id, power_w, from_at, lease_ends_at, session_ended_at in spells:
            if from_at is not None and from_at <= at < min(lease_ends_at, session_ended_at or lease_ends_at):
                held_w[evse_id] = max(safe_w[evse_id], power_w)
        count += sum(held_w.values()) >= FULL_SHARE * room_w
        at += timedelta(minutes=1)
    return count
