"""Proof of an EVSE's default profile (site-limit rule R8), and the sending of its orders, as pure steps.

Each is a generator that yields a command and is sent what came of it (None: an error, a timeout or a hang-up, of which
nothing is known). The sockets' loop and the proof's simulation drive the same steps; only the sending is theirs.

A default counts once it was installed and read back. Where a station takes it but cannot be asked, metered power has to
show that it holds (`app.scheduling.obedience`). A read-back never proves obedience, whatever it says.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.commands import (
    Accepted,
    ApplyProfile,
    Command,
    Outcome,
    RateUnit,
    ReadComposite,
)
from app.domain.limits import LimitOrder
from app.domain.units import power_w
from app.scheduling import profiles

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(minutes=30)
BEYOND_LEASE_S = 1200
READ_AHEAD_S = 25 * 3600  # a whole day: a daily profile of somebody else may allow more at night
TOLERANCE_A = 0.1


class Verdict(StrEnum):
    """What a proof has come to. INSTALLED: taken, but it cannot be read back; metered power has to show it."""

    PROVEN = "proven"
    INSTALLED = "installed"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class DefaultDue:
    """An EVSE whose default profile is to be proven: its safe power and how to spell it.

    `rate_unit` is what its limits are in; `is_unit_told` whether the station itself has said so. `is_expected` says
    that this very default was proven before and should still be there, and that nothing hides it: it is read first.
    `is_covered`: a session's limit may hide it, and only what comes behind a lease says something.
    """

    evse_number: int
    safe_power_w: float
    w_per_a: float
    phase_count: int
    rate_unit: RateUnit = RateUnit.A
    is_unit_told: bool = True
    is_expected: bool = False
    is_covered: bool = False


@dataclass(frozen=True, slots=True)
class Proof:
    """How a proof ended. `rate_unit` is what the station took; `reason` says why the default is not proven.

    `is_forgotten`: the default was expected to be there and was not (a factory reset, another profile).
    """

    verdict: Verdict
    rate_unit: RateUnit
    reason: str = ""
    is_forgotten: bool = False


def prove(due: DefaultDue) -> Generator[Command, Outcome | None, Proof]:
    """Prove a default: read it first where it should be there, else (or if it is not) install it and read it back.

    A station that refuses it, and has not said which units it takes, is asked once more in the other unit.
    """
    is_forgotten = False
    if due.is_expected:
        outcome = yield _read(due, due.rate_unit)
        if holds(due, outcome):
            return Proof(Verdict.PROVEN, due.rate_unit)
        is_forgotten = isinstance(outcome, Accepted)
    unit = due.rate_unit
    outcome = yield _install(due, unit)
    if outcome is not None and not isinstance(outcome, Accepted) and not due.is_unit_told:
        unit = RateUnit.W if unit is RateUnit.A else RateUnit.A
        outcome = yield _install(due, unit)
    if outcome is None:
        return Proof(Verdict.UNPROVEN, due.rate_unit, "no answer to the default profile", is_forgotten)
    if not isinstance(outcome, Accepted):
        reason = f"the default profile was refused: {outcome.reason}"
        return Proof(Verdict.UNPROVEN, due.rate_unit, reason, is_forgotten)
    outcome = yield _read(due, unit)
    if holds(due, outcome):
        return Proof(Verdict.PROVEN, unit, is_forgotten=is_forgotten)
    if isinstance(outcome, Accepted) and read_w(due, outcome) is not None:
        return Proof(Verdict.UNPROVEN, unit, "what was read back is above the safe power", is_forgotten)
    return Proof(Verdict.INSTALLED, unit, _why_unread(outcome), is_forgotten)


def _install(due: DefaultDue, unit: RateUnit) -> ApplyProfile:
    profile = profiles.default_profile(due.evse_number, due.safe_power_w, due.w_per_a, due.phase_count, unit)
    return ApplyProfile(due.evse_number, profile)


def _read(due: DefaultDue, unit: RateUnit) -> ReadComposite:
    return ReadComposite(due.evse_number, READ_AHEAD_S, unit)


def _why_unread(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "no answer when it was read back"
        case Accepted():
            return "it was read back without anything in it"
        case _:
            return f"it could not be read back: {outcome.reason}"


def holds(due: DefaultDue, outcome: Outcome | None) -> bool:
    """Whether what was read says that the EVSE gets its safe power at most: at any time, or behind any lease."""
    allowed_w = read_w(due, outcome) if isinstance(outcome, Accepted) else None
    return allowed_w is not None and allowed_w <= highest_w(due)


def read_w(due: DefaultDue, outcome: Accepted) -> float | None:
    """Return in W the highest that a composite schedule allows, or allows once no lease that may run now is left.

    None where it cannot be read.
    """
    periods, unit = outcome.detail.get("periods"), outcome.detail.get("unit")
    if not periods:
        return None
    begun = [number for number, period in enumerate(periods) if period[0] <= BEYOND_LEASE_S]
    lasting = periods[begun[-1] :] if due.is_covered and begun else periods
    limit = max(period[1] for period in lasting)
    return float(limit) if unit == "W" else power_w(limit, due.w_per_a, 1)


def highest_w(due: DefaultDue) -> float:
    """Return what a read-back of this default may say at most: its power, and what rounding may add."""
    return due.safe_power_w + TOLERANCE_A * due.w_per_a


def deliver(order: LimitOrder, unit: RateUnit) -> Generator[Command, Outcome | None, Outcome | None]:
    """Send an order as a lease (rule R6); return what came of it, for the ledger (see `orders.settled`)."""
    return (yield ApplyProfile(order.evse_number, profiles.lease_profile(order, unit)))


@dataclass(frozen=True, slots=True)
class Retries:
    """When proofs that failed are tried again: after 1, 2, 4 … 30 minutes."""

    failure_count: int = 0
    retry_at: datetime | None = None

    def is_pausing(self, now: datetime) -> bool:
        """Whether nothing is tried yet."""
        return self.retry_at is not None and now < self.retry_at

    def after(self, failed_count: int, now: datetime) -> "Retries":
        """Return what follows a round in which so many proofs failed."""
        if failed_count == 0:
            return Retries()
        pause = min(FIRST_RETRY * 2 ** min(self.failure_count, 10), LONGEST_RETRY)
        return Retries(self.failure_count + 1, now + pause)
