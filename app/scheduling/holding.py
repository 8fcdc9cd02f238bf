"""What holds at a session's EVSE right now by the ledger, and what holds up what is wanted there, in plain English."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.domain.limits import EvseLedger, LimitEntry
from app.scheduling.ledger import base_w, next_release_at, possible_w
from app.scheduling.orders import by_session, in_force
from app.scheduling.wording import clock, kw

SAME_W = 1.0


@dataclass(frozen=True, slots=True)
class Holding:
    """The limit in force at the EVSE by what its station accepted, its lease's end (None: only the default holds).

    `wanted_w` is what the newest plan wants there (None: nothing), `text` one line for people.
    """

    limit_w: float
    lease_ends_at: datetime | None
    wanted_w: float | None
    text: str


def holding(
    evse_id: int,
    session_id: str,
    wanted_w: float | None,
    ledgers: Mapping[int, EvseLedger],
    now: datetime,
    settle: timedelta,
    zone: ZoneInfo,
) -> Holding:
    """Return what holds at an EVSE of a site with these ledgers."""
    own = ledgers[evse_id]
    accepted = in_force(by_session(own.entries).get(session_id, ()), now)
    limit_w = base_w(own) if accepted is None else accepted.power_w
    ends_at = None if accepted is None else accepted.lease_ends_at or accepted.ends_at
    parts = [_now(own, accepted, ends_at, zone)]
    parts += _under_way(own, now, zone)
    if wanted_w is not None and wanted_w > limit_w + SAME_W:
        parts += _held_up(evse_id, wanted_w, ledgers, now, settle, zone)
    elif wanted_w is not None and wanted_w < limit_w - SAME_W:
        parts.append(f"the plan wants {kw(wanted_w)}: it is lowered where the measured sun does not allow more")
    return Holding(limit_w, ends_at, wanted_w, "; ".join(parts))


def _now(own: EvseLedger, accepted: LimitEntry | None, ends_at: datetime | None, zone: ZoneInfo) -> str:
    if accepted is None or ends_at is None or accepted.accepted_at is None:
        return f"only the default of {kw(base_w(own))} holds"
    since = clock(accepted.accepted_at, zone)
    return f"{kw(accepted.power_w)} is in force since {since}, and ends at {clock(ends_at, zone)} unless it is renewed"


def _is_open(entry: LimitEntry) -> bool:
    return entry.accepted_at is None and not entry.is_refused


def _under_way(own: EvseLedger, now: datetime, zone: ZoneInfo) -> Iterator[str]:
    newest = max(own.entries, key=lambda entry: entry.order_no, default=None)
    if newest is None or not _is_open(newest):
        return
    if newest.failed_at is not None:
        ends = clock(newest.ends_at, zone)
        yield f"{kw(newest.power_w)} was sent and not answered, so it may hold until {ends}"
    elif newest.taken_at is not None:
        ago_s = int((now - newest.taken_at).total_seconds())
        yield f"{kw(newest.power_w)} was sent {ago_s} s ago and is not answered yet"
    else:
        yield f"{kw(newest.power_w)} waits to be sent"


def _held_up(
    evse_id: int,
    wanted_w: float,
    ledgers: Mapping[int, EvseLedger],
    now: datetime,
    settle: timedelta,
    zone: ZoneInfo,
) -> Iterator[str]:
    """Yield what a raise may be waiting for: answers of others, and limits of others that are just replaced."""
    others = [each for each in ledgers.values() if each.evse_id != evse_id]
    waiting = sum(1 for each in others if any(_is_open(entry) for entry in each.entries))
    settling = [each for each in others if not any(map(_is_open, each.entries)) and _is_coming_down(each, now, settle)]
    reasons = []
    if waiting:
        reasons.append(f"{waiting} other station{'s' if waiting > 1 else ''} to answer")
    free_at = next_release_at(settling, now, settle)
    if free_at is not None:
        reasons.append(f"power that others have just given up, free at {free_at.astimezone(zone):%H:%M:%S}")
    yield f"the plan wants {kw(wanted_w)}" + (f", which may wait for {' and '.join(reasons)}" if reasons else "")


def _is_coming_down(ledger: EvseLedger, now: datetime, settle: timedelta) -> bool:
    newest = max(ledger.entries, key=lambda entry: entry.order_no, default=None)
    if newest is None:
        return False
    return possible_w(ledger, now, settle) > max(newest.power_w, base_w(ledger)) + SAME_W
