"""Obedience: does an EVSE do what it was told, by its metered power (site-limit rules R4, R5, R8).

An acknowledgement or a read-back only says what a station means to do. Power above everything that may be in force
there shows that it does not: the EVSE counts at nameplate with the first such value, and is distrusted with the second.
A car that goes on at 0 A, or does not come back after it, endangers nothing (its safe power is counted anyway), but
somebody waits for it: it is helped along in bounded steps. Where a default cannot be read back, power shows that it
holds. Every judgement is about one value of the meter and what was noted before, so that a lost cycle costs only time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from app.domain.limits import LimitEntry
from app.domain.snapshot import EvseSpec
from app.scheduling.allocation import Target

TOLERANCE_SHARE = 0.1  # the voltage may be that much above its nominal value
TOLERANCE_A = 0.5
LAG = timedelta(seconds=10)
FRESH = timedelta(minutes=2)
APART = timedelta(seconds=5)
METERED_PROOF = timedelta(seconds=60)
LEAST_PROVING_SHARE = 0.8
PAUSE_PATIENCE = timedelta(seconds=20)
RESUME_PATIENCE = timedelta(seconds=90)
DRAWING_SHARE = 0.5
IDLE_SHARE = 0.1
STEP_PATIENCE = timedelta(seconds=60)
TOGGLE_FOR = timedelta(seconds=30)
RESTART_PAUSE = timedelta(hours=12)
TRUST_AFTER = timedelta(hours=1)
TRUST_PROOF = timedelta(minutes=10)
LOOK_AGAIN = timedelta(seconds=10)


class Ignored(StrEnum):
    """What an EVSE does not follow, within what is counted for it anyway."""

    PAUSE = "pause"
    RESUME = "resume"


class Step(StrEnum):
    """What is tried, in this order: the limit again, the minimum current between, stop the session, start it again."""

    REPEAT = "repeat"
    TOGGLE = "toggle"
    STOP = "stop"
    START = "start"


LADDER = tuple(Step)


@dataclass(frozen=True, slots=True)
class Watch:
    """What was noted of an EVSE; a blank one is not kept.

    `above_at` is the first of the values above everything that may be in force, `steady_at` the first of those that
    show a default to hold, `paused_at` since when it is told 0. `ignored` is what it does not follow, since
    `ignored_at`; the steps that were taken against it, the last one at `stepped_at`; `restarted_at` is when its session
    was last stopped for that.
    """

    above_at: datetime | None = None
    steady_at: datetime | None = None
    paused_at: datetime | None = None
    ignored: Ignored | None = None
    ignored_at: datetime | None = None
    step_count: int = 0
    stepped_at: datetime | None = None
    restarted_at: datetime | None = None

    @property
    def step(self) -> Step | None:
        """The last step that was taken."""
        return LADDER[self.step_count - 1] if self.step_count else None

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left to try."""
        return self.ignored is not None and self.step_count >= len(LADDER)


BLANK = Watch()


@dataclass(frozen=True, slots=True)
class Sight:
    """One EVSE now.

    `possible_w` is the highest limit that may have been in force when `power_w` was metered, at `metered_at`. `told` is
    the limit of its session that it accepted last and whose lease runs (None: none), `is_car_pausing` whether the car
    itself does not want to charge. `is_installed` says that its default was taken but not read back, `is_covered` that
    a session's limit may be in force; `distrusted_at` since when it is distrusted.
    """

    evse: EvseSpec
    possible_w: float
    power_w: float | None
    metered_at: datetime | None
    told: LimitEntry | None = None
    is_car_pausing: bool = False
    is_installed: bool = False
    is_covered: bool = False
    distrusted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows for an EVSE: what to note, and the step to take now.

    `is_above`: a value lies above everything that may be in force; `is_disobeying`: a second one does, too. `is_shown`:
    metered power has shown that its default holds.
    """

    watch: Watch
    is_above: bool = False
    is_disobeying: bool = False
    is_shown: bool = False
    step: Step | None = None


def tolerated_w(limit_w: float, evse: EvseSpec) -> float:
    """Return the highest metered power that still counts as following a limit."""
    return limit_w * (1 + TOLERANCE_SHARE) + TOLERANCE_A * evse.w_per_a


def is_too_high(seen: Sight) -> bool:
    """Whether the metered power is above everything that may be in force."""
    return seen.power_w is not None and seen.power_w > tolerated_w(seen.possible_w, seen.evse)


def is_notable(seen: Sight) -> bool:
    """Whether an EVSE of which nothing is noted has to be looked at closely; `possible_w` does not matter."""
    told_w = 0.0 if seen.told is None else seen.told.power_w
    is_high = (seen.power_w or 0.0) > tolerated_w(max(told_w, seen.evse.safe_power_w), seen.evse)
    is_paused = seen.told is not None and seen.told.power_w == 0.0
    return is_high or is_paused or seen.is_installed or seen.distrusted_at is not None


def judge(seen: Sight, watch: Watch, now: datetime) -> Judgement:
    """Judge an EVSE by its newest metered power; an old value changes nothing but ends a run that was to be shown."""
    if seen.power_w is None or seen.metered_at is None or now - seen.metered_at > FRESH:
        return Judgement(replace(watch, steady_at=None), is_above=watch.above_at is not None)
    after = _steady(seen, _above(seen, watch), seen.power_w, seen.metered_at)
    above_for = timedelta() if after.above_at is None else seen.metered_at - after.above_at
    noted, step = _followed(seen, after, seen.power_w, seen.metered_at, now)
    return Judgement(
        noted,
        is_above=after.above_at is not None,
        is_disobeying=above_for >= APART,
        is_shown=_is_shown(seen, after, seen.metered_at, now),
        step=step,
    )


def _above(seen: Sight, watch: Watch) -> Watch:
    if not is_too_high(seen):
        return replace(watch, above_at=None)
    return watch if watch.above_at is not None else replace(watch, above_at=seen.metered_at)


def _steady(seen: Sight, watch: Watch, power_w: float, at: datetime) -> Watch:
    """Note since when the EVSE draws what its default allows: nearly all of it, as less would show nothing."""
    is_asked = seen.is_installed or seen.distrusted_at is not None
    safe_w = seen.evse.safe_power_w
    is_steady = LEAST_PROVING_SHARE * safe_w <= power_w <= tolerated_w(safe_w, seen.evse)
    if not (is_asked and is_steady) or seen.is_covered:
        return replace(watch, steady_at=None)
    return watch if watch.steady_at is not None else replace(watch, steady_at=at)


def _is_shown(seen: Sight, watch: Watch, at: datetime, now: datetime) -> bool:
    """Whether a default that cannot be read back, or one that was not obeyed before, has held for long enough."""
    if watch.steady_at is None:
        return False
    if seen.distrusted_at is None:
        return at - watch.steady_at >= METERED_PROOF
    return at - watch.steady_at >= TRUST_PROOF and now - seen.distrusted_at >= TRUST_AFTER


def _followed(seen: Sight, watch: Watch, power_w: float, at: datetime, now: datetime) -> tuple[Watch, Step | None]:
    """Note whether a pause and what comes after it are followed; return the step that is due against it."""
    told = seen.told
    if told is None or told.accepted_at is None or not seen.evse.is_ready:
        return _restarting(seen, watch, now)
    ignored = _ignored(seen, watch, told, power_w, at)
    is_pause = told.power_w == 0.0
    paused_at = (watch.paused_at or told.accepted_at) if is_pause or ignored is Ignored.RESUME else watch.paused_at
    if not is_pause and power_w > IDLE_SHARE * seen.evse.min_power_w:
        paused_at = None
    watch = replace(watch, paused_at=paused_at)
    if ignored is None:
        is_known = _is_settled(told, at, RESUME_PATIENCE)
        return (_content(watch) if is_known or watch.ignored is None else watch), None
    if watch.ignored is not ignored:
        watch = replace(_content(watch), ignored=ignored, ignored_at=now)
    return _stepped(watch, now, may_restart=_may_restart(watch, now))


def _ignored(seen: Sight, watch: Watch, told: LimitEntry, power_w: float, at: datetime) -> Ignored | None:
    if told.power_w == 0.0:
        is_drawing = power_w > DRAWING_SHARE * seen.evse.min_power_w
        return Ignored.PAUSE if is_drawing and _is_settled(told, at, PAUSE_PATIENCE) else None
    is_idle = power_w <= IDLE_SHARE * seen.evse.min_power_w and not seen.is_car_pausing
    was_paused = watch.paused_at is not None
    return Ignored.RESUME if is_idle and was_paused and _is_settled(told, at, RESUME_PATIENCE) else None


def _is_settled(told: LimitEntry, at: datetime, patience: timedelta) -> bool:
    return told.accepted_at is not None and at >= told.accepted_at + patience


def _content(watch: Watch) -> Watch:
    return replace(watch, ignored=None, ignored_at=None, step_count=0, stepped_at=None)


def _may_restart(watch: Watch, now: datetime) -> bool:
    return watch.restarted_at is None or now - watch.restarted_at >= RESTART_PAUSE


def _stepped(watch: Watch, now: datetime, *, may_restart: bool) -> tuple[Watch, Step | None]:
    if watch.is_exhausted or (watch.stepped_at is not None and now - watch.stepped_at < STEP_PATIENCE):
        return watch, None
    step = LADDER[watch.step_count]
    if step is Step.START or (step is Step.STOP and not may_restart):
        return replace(watch, step_count=len(LADDER), stepped_at=now), None
    restarted_at = now if step is Step.STOP else watch.restarted_at
    return replace(watch, step_count=watch.step_count + 1, stepped_at=now, restarted_at=restarted_at), step


def _restarting(seen: Sight, watch: Watch, now: datetime) -> tuple[Watch, Step | None]:
    """Start the session again that was stopped, once it is over; what was noted of any other ends with its session."""
    if seen.told is not None:
        return watch, None
    if watch.step is not Step.STOP:
        return _content(replace(watch, paused_at=None)), None
    return replace(watch, step_count=len(LADDER), stepped_at=now, paused_at=None), Step.START


def nudged(
    targets: Mapping[int, Target],
    judgements: Mapping[int, Judgement],
    least_w: Mapping[int, float],
    now: datetime,
) -> dict[int, Target]:
    """Return the targets with what the steps want of them: the same limit once more, or the minimum for a while.

    `least_w` is the smallest usable power of each EVSE.
    """
    changed = dict(targets)
    for evse_id, target in targets.items():
        judged = judgements.get(evse_id)
        if judged is None or judged.watch.ignored is None:
            continue
        if judged.step is Step.REPEAT and target.accepted is not None:
            changed[evse_id] = replace(target, is_doubtful=True)
        elif _is_toggling(judged.watch, now):
            changed[evse_id] = replace(target, target_w=least_w[evse_id])
    return changed


def _is_toggling(watch: Watch, now: datetime) -> bool:
    return watch.step is Step.TOGGLE and watch.stepped_at is not None and now < watch.stepped_at + TOGGLE_FOR


def look_at(judged: Judgement, now: datetime) -> datetime | None:
    """Return when to look again at an EVSE that something is noted of; None: any time."""
    is_pressing = judged.is_above or judged.watch.steady_at is not None
    return now + LOOK_AGAIN if is_pressing or (judged.watch.ignored and not judged.watch.is_exhausted) else None
