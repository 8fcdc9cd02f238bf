"""What a fact does to a charging session: energy follows the register, an end is final, nothing runs backwards."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.facts import Metered, SessionEnded
from app.domain.units import energy_wh, wh_from_kwh

SUPERSEDED = "superseded"
JUMP_TOLERANCE_RATIO = 1.25
JUMP_TOLERANCE_WH = 1000.0
MISLABELLED = "the register is in kWh though it says Wh"
THOUSANDTH = "the register grows a thousand times slower than the power says"
LEAST_TELLING_WH = 10_000.0
ROUNDED_WH = 1000.0
LONGEST_STEP = timedelta(minutes=10)
LEAST_STEP_WH = 20.0
ALIKE_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class SessionState:
    """The part of a session that facts change.

    `meter_last_wh` is the highest believed register, `delivered_wh` how far it is above `meter_start_wh` (None until a
    register was seen). `metered_at` is the station's time of the newest believed register, None if not known.
    `end_reason` SUPERSEDED means that we closed it because another one began: the station's own end still counts.
    """

    started_at: datetime
    nameplate_w: float
    meter_start_wh: float | None = None
    meter_last_wh: float | None = None
    delivered_wh: float = 0.0
    metered_at: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the station said that it ended."""
        return self.ended_at is not None and self.end_reason != SUPERSEDED


@dataclass(frozen=True, slots=True)
class Advanced:
    """The state after a fact, and what about the fact is not believed (empty on a normal day)."""

    state: SessionState
    doubts: tuple[str, ...] = ()


def advance(state: SessionState, fact: Metered | SessionEnded) -> Advanced:
    """Return the state after the fact. The same fact again changes nothing."""
    if isinstance(fact, Metered):
        return _register(state, fact.register_wh, fact.at)
    if state.is_over:
        return Advanced(state)
    metered = _register(state, fact.meter_stop_wh, fact.at)
    doubts = metered.doubts
    if fact.at < state.started_at:
        doubts += ("ended before it started",)
    ended = replace(
        metered.state, ended_at=max(fact.at, state.started_at), end_reason=fact.reason or "ended by the station"
    )
    return Advanced(ended, doubts)


def supersede(state: SessionState, at: datetime) -> SessionState:
    """Return the state closed by us, because another session began at its EVSE."""
    if state.ended_at is not None:
        return state
    return replace(state, ended_at=max(at, state.started_at), end_reason=SUPERSEDED)


def _register(state: SessionState, register_wh: float | None, at: datetime) -> Advanced:
    if register_wh is None or (state.is_over and state.ended_at is not None and at > state.ended_at):
        return Advanced(state)
    if register_wh < 0:
        return Advanced(state, ("the register is negative",))
    if state.meter_last_wh is not None and register_wh < state.meter_last_wh:
        if state.metered_at is not None and at < state.metered_at:
            return Advanced(state)
        if not _is_in_kwh(state, register_wh, at):
            return Advanced(state, ("the register ran backwards",))
        return Advanced(_moved(state, max(state.meter_last_wh, wh_from_kwh(register_wh)), at), (MISLABELLED,))
    moved = _moved(state, register_wh, at)
    if moved.delivered_wh > _most_wh(state, at):
        return Advanced(state, ("the register grew faster than the EVSE can deliver",))
    return Advanced(moved)


def _moved(state: SessionState, register_wh: float, at: datetime) -> SessionState:
    start_wh = register_wh if state.meter_start_wh is None else state.meter_start_wh
    return replace(
        state,
        meter_start_wh=start_wh,
        meter_last_wh=register_wh,
        delivered_wh=register_wh - start_wh,
        metered_at=at if state.metered_at is None else max(at, state.metered_at),
    )


def _is_in_kwh(state: SessionState, register_wh: float, at: datetime) -> bool:
    """Whether a register that says Wh is surely in kWh: a thousand times as much is where the register should be.

    Some stations say their start in Wh, as they must, and meter values in kWh without saying so.
    """
    if state.meter_start_wh is None or state.meter_start_wh < LEAST_TELLING_WH:
        return False
    grown_wh = wh_from_kwh(register_wh) - state.meter_start_wh
    return -ROUNDED_WH <= grown_wh <= _most_wh(state, at)


def is_a_thousandth(before: SessionState, after: SessionState, before_w: float | None, now_w: float | None) -> bool:
    """Whether a register grew a thousand times slower than the power on both ends of the step says.

    Then all of the station's registers are in kWh though they say Wh, or its power is wrong: a person has to look.
    """
    if before_w is None or now_w is None or before.meter_last_wh is None or after.meter_last_wh is None:
        return False
    if before.metered_at is None or after.metered_at is None:
        return False
    step = after.metered_at - before.metered_at
    expected_wh = energy_wh((before_w + now_w) / 2, step)
    if step > LONGEST_STEP or expected_wh < LEAST_STEP_WH:
        return False
    ratio = wh_from_kwh(after.meter_last_wh - before.meter_last_wh) / expected_wh
    return 1 / ALIKE_RATIO <= ratio <= ALIKE_RATIO


def _most_wh(state: SessionState, at: datetime) -> float:
    """Return the most energy that can have been delivered by `at`, with room for clocks and meters that are off."""
    elapsed = max(timedelta(0), at - state.started_at)
    return JUMP_TOLERANCE_RATIO * energy_wh(state.nameplate_w, elapsed) + JUMP_TOLERANCE_WH
