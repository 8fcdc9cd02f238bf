"""The limit ledger: what may be in force at an EVSE, from what was intended, accepted and refused.

An entry may be in force from the moment it was intended (its bytes may have left) until the earlier of its lease's end
plus SETTLE, and SETTLE after the acceptance of a later-numbered entry. Refused entries never were in force. Errors,
timeouts and hang-ups free nothing (rule R5); a late acceptance of an older entry frees only what came before it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from app.domain.limits import EvseLedger, LimitEntry


def base_w(evse: EvseLedger) -> float:
    """Return what the EVSE may draw without any lease: its verified default, else its nameplate."""
    return evse.nameplate_w if evse.default_w is None else min(evse.default_w, evse.nameplate_w)


def freed_at(evse: EvseLedger, entry: LimitEntry, settle: timedelta) -> datetime:
    """Return from when on the entry can no longer be in force, as far as is known now."""
    if entry.is_refused:
        return entry.intended_at
    replaced = [
        later.accepted_at + settle
        for later in evse.entries
        if later.order_no > entry.order_no and later.accepted_at is not None and not later.is_refused
    ]
    return min([entry.ends_at + settle, *replaced])


def open_entries(evse: EvseLedger, now: datetime, settle: timedelta) -> tuple[LimitEntry, ...]:
    """Return the entries that may still be in force; the others can be closed."""
    return tuple(entry for entry in evse.entries if now < freed_at(evse, entry, settle))


def possible_w(evse: EvseLedger, now: datetime, settle: timedelta) -> float:
    """Return u_i: the highest power that may be in force at the EVSE."""
    highest_w = max((entry.power_w for entry in open_entries(evse, now, settle)), default=0.0)
    return min(evse.nameplate_w, max(base_w(evse), highest_w))


def next_release_at(evses: Iterable[EvseLedger], now: datetime, settle: timedelta) -> datetime | None:
    """Return when the next entry that raises its EVSE above the base is freed; None if there is none."""
    times = [
        freed_at(evse, entry, settle)
        for evse in evses
        for entry in open_entries(evse, now, settle)
        if entry.power_w > base_w(evse)
    ]
    return min(times, default=None)
