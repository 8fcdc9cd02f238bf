"""What a fact does to a charging session: energy follows the register, an end is final, nothing runs backwards."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from app.domain.facts import Metered, SessionEnded
from app.domain.units import energy_wh

SUPERSEDED = "superseded"
JUMP_TOLERANCE_RATIO = 1.25
JUMP_TOLERANCE_WH = 1000.0


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
        is_history = state.metered_at is not None and at < state.metered_at
        return Advanced(state, () if is_history else ("the register ran backwards",))
    start_wh = register_wh if state.meter_start_wh is None else state.meter_start_wh
    delivered_wh = register_wh - start_wh
    if delivered_wh > _most_wh(state, at):
        return Advanced(state, ("the register grew faster than the EVSE can deliver",))
    return Advanced(
        replace(
            state,
            meter_start_wh=start_wh,
            meter_last_wh=register_wh,
            delivered_wh=delivered_wh,
            metered_at=at if state.metered_at is None else max(at, state.metered_at),
        )
    )


def _most_wh(state: SessionState, at: datetime) -> float:
    """Return the most energy that can have been delivered by `at`, with room for clocks and meters that are off."""
    elapsed = max(timedelta(0), at - state.started_at)
    return JUMP_TOLERANCE_RATIO * energy_wh(state.nameplate_w, elapsed) + JUMP_TOLERANCE_WH
