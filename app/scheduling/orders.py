"""The books of limit orders, as pure steps: what is wanted where, which orders a socket takes, what an answer means.

The rows of PostgreSQL and the proof's simulation take the same steps; only keeping them is theirs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from app.domain.commands import Accepted, Outcome, Rejected, Unsupported
from app.domain.limits import EvseLedger, LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling.allocation import Target

RETRY_PAUSE = timedelta(seconds=15)
ANSWER_OVERDUE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted at an EVSE for its session: by the plan, or by what follows the sun between plans."""

    evse_id: int
    session_id: str
    target_w: float


@dataclass(frozen=True, slots=True)
class Aims:
    """Targets per EVSE, and when EVSEs that failed to take an order may be tried again."""

    targets: Mapping[int, Target]
    retry_at: tuple[datetime, ...]


def aims(
    wanted: Sequence[Wanted], entries: Sequence[LimitEntry], newest: Mapping[str, LimitEntry], now: datetime
) -> Aims:
    """Return what is to be reached, from the site's open entries and the newest entry of each session (open or not)."""
    targets: dict[int, Target] = {}
    retry_at: list[datetime] = []
    of_session = by_session(entries)
    for each in wanted:
        last = newest.get(each.session_id)
        pause_until_at = _pause_until_at(last, each.target_w)
        is_paused = pause_until_at is not None and pause_until_at > now
        if is_paused and pause_until_at is not None:
            retry_at.append(pause_until_at)
        targets[each.evse_id] = Target(
            evse_id=each.evse_id,
            session_id=each.session_id,
            target_w=each.target_w,
            accepted=in_force(of_session.get(each.session_id, ()), now),
            in_flight=is_paused,
            is_doubtful=last is not None and last.accepted_at is None and not last.is_refused,
        )
    return Aims(targets, tuple(retry_at))


def _pause_until_at(last: LimitEntry | None, target_w: float) -> datetime | None:
    """Return until when an EVSE is left alone: while an answer is due, and a little after a failure.

    A further reduction does not wait for the end of a pause after a failure.
    """
    if last is None or last.accepted_at is not None:
        return None
    ended_at = last.failed_at or last.refused_at
    if ended_at is None:
        return None if last.is_refused else (last.taken_at or last.intended_at) + ANSWER_OVERDUE
    return None if target_w < last.power_w else ended_at + RETRY_PAUSE


def by_session(entries: Sequence[LimitEntry]) -> dict[str, list[LimitEntry]]:
    """Return the entries of each session, in their order."""
    found: dict[str, list[LimitEntry]] = {}
    for entry in entries:
        found.setdefault(entry.session_id, []).append(entry)
    return found


def in_force(entries: Sequence[LimitEntry], now: datetime) -> LimitEntry | None:
    """Return the newest accepted one of a session's entries while its lease runs at the station.

    An older one is never in force again, even where (of the raw door) its own end lies later.
    """
    accepted = [entry for entry in entries if entry.accepted_at is not None]
    newest = max(accepted, key=lambda entry: entry.order_no, default=None)
    return newest if newest is not None and newest.is_in_force_at(now) else None


def ledgers_of(
    evses: Sequence[EvseSpec], entries: Sequence[LimitEntry], now: datetime, settle: timedelta
) -> dict[int, EvseLedger]:
    """Return what may be in force at every EVSE of a site, from its open entries."""
    by_evse: dict[int, list[LimitEntry]] = {evse.evse_id: [] for evse in evses}
    for entry in entries:
        if entry.evse_id in by_evse:
            by_evse[entry.evse_id].append(entry)
    return {evse.evse_id: ledger_of(evse, by_evse[evse.evse_id], now, settle) for evse in evses}


def ledger_of(evse: EvseSpec, entries: Sequence[LimitEntry], now: datetime, settle: timedelta) -> EvseLedger:
    """Return what may be in force at an EVSE, from its own open entries.

    A default that was just proven counts only after SETTLE: until then the car may still come down (rule R4).
    """
    settles_at = settled_at(evse, settle)
    default_w = evse.safe_power_w if settles_at is not None and now >= settles_at else None
    return EvseLedger(evse.evse_id, evse.nameplate_w, default_w, tuple(entries))


def settled_at(evse: EvseSpec, settle: timedelta) -> datetime | None:
    """Return from when on the EVSE's proven default counts; None while it is not proven."""
    return evse.verified_at + settle if evse.is_verified and evse.verified_at is not None else None


def taken(entries: Sequence[LimitEntry], running: Mapping[int, str], now: datetime) -> tuple[LimitEntry, ...]:
    """Return which of a station's untaken entries its socket takes: per EVSE the newest one of the running session.

    `running` is the session of each EVSE. The others, and leases that are over, are never to be sent.
    """
    newest: dict[int, LimitEntry] = {}
    for entry in sorted(entries, key=lambda each: -each.order_no):
        is_useful = running.get(entry.evse_id) == entry.session_id and now < (entry.lease_ends_at or entry.ends_at)
        if entry.evse_id not in newest and is_useful:
            newest[entry.evse_id] = replace(entry, taken_at=now)
    return tuple(newest[evse_id] for evse_id in sorted(newest))


def settled(entry: LimitEntry, outcome: Outcome | None, now: datetime) -> LimitEntry:
    """Return the entry with what came of it; None: an error, a timeout or a hang-up, which frees nothing (rule R5).

    A late answer replaces "unknown"; a second answer changes nothing.
    """
    if entry.accepted_at is not None or entry.is_refused:
        return entry
    match outcome:
        case None:
            return replace(entry, failed_at=now)
        case Accepted():
            return replace(entry, accepted_at=now)
        case Rejected() | Unsupported():
            return replace(entry, is_refused=True, refused_at=now)
        case _:
            assert_never(outcome)
