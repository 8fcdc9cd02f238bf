"""Why a plan is as it is: for each session and slot the reason that decides, by the costs that the planner weighed.

A slot in which a car charges is compared with the best other slot it could use, one in which it does not with the
dearest slot that it does use. The largest part of what the exchange would cost is the reason. Where there is no other
slot, it is the promise; where there is no room, the limit. See `app.scheduling.weighing` for what is compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np

from app.domain.explanation import Reason, SessionExplanation, SpanReason, Why
from app.domain.intervals import Interval
from app.domain.plan import ChargingPlan, PlanLine
from app.domain.snapshot import Demand, EvseSpec, SiteSnapshot
from app.scheduling import goals
from app.scheduling.cars import Floats
from app.scheduling.current import now_reasons
from app.scheduling.flow import SITE
from app.scheduling.instead import now_instead, price_cost
from app.scheduling.weighing import CLOSED, OPEN, Supply, Weighed, weigh
from app.scheduling.wording import Span, not_more, sentence

SUN_SHARE = 0.99
WHOLE_WH = 1.0
NO_SLOT = -1
PARTS = (Why.SUN, Why.RISK, Why.PRICE, Why.DEMAND, Why.MARGIN, Why.LATE)


Decided = tuple[Why, int, int]
"""The reason, a slot it was compared with (NO_SLOT: none), what bars it (a feeder's number, SITE; OPEN: nothing)."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One session's row of what was weighed. `add` and `cut` are what one Wh more costs and one less saves, per slot.

    Their rows are `PARTS`: what a move of one Wh from a slot to another costs is `add` there minus `cut` here.
    """

    place: int
    demand: Demand
    line: PlanLine
    weighed: Weighed
    snapshot: SiteSnapshot
    made: ChargingPlan
    energy_wh: Floats
    add: Floats
    cut: Floats


def explain(
    snapshot: SiteSnapshot, made: ChargingPlan, session_ids: frozenset[str] | None = None
) -> tuple[SessionExplanation, ...]:
    """Return why `made`, a plan of this snapshot, is as it is: of these sessions (None: of all), by session."""
    weighed = weigh(snapshot, made)
    evses = {evse.evse_id: evse for evse in snapshot.evses}
    sources = _sources(weighed.supply)
    return tuple(
        _explained(_row(place, line, weighed, snapshot, made, sources), evses[line.evse_id])
        for place, line in enumerate(made.lines)
        if session_ids is None or line.session_id in session_ids
    )


def weighed_moves(snapshot: SiteSnapshot, made: ChargingPlan) -> Iterator[Floats]:
    """Yield for every session what moving one Wh from a slot (row) in which it charges to another would cost.

    Never less than 0: the plan is the cheapest. Where nothing more fits it is infinite.
    """
    weighed = weigh(snapshot, made)
    sources = _sources(weighed.supply)
    for place, line in enumerate(made.lines):
        row = _row(place, line, weighed, snapshot, made, sources)
        used = np.flatnonzero(row.energy_wh > 0)
        costs = row.add.sum(axis=0)[None, :] - row.cut.sum(axis=0)[used, None]
        costs[np.arange(len(used)), used] = 0.0
        yield costs


def _sources(supply: Supply) -> tuple[Floats, Floats]:
    """Return the parts of one Wh more and one less that are the slots' own: sun or grid, tariff, demand, order."""
    count = len(supply.total_wh)
    steps = goals.STEP_COST * (count - np.arange(count, dtype=float))
    tariff = supply.grid_cost - goals.GRID_COST - steps
    add, cut = np.zeros((len(PARTS), count)), np.zeros((len(PARTS), count))
    over = supply.from_grid_wh > supply.below_target_wh
    for parts, buys, is_over in (
        (add, ~supply.has_spare_sun, supply.is_beyond_target),
        (cut, supply.from_grid_wh > 0, over),
    ):
        parts[PARTS.index(Why.SUN)] = goals.GRID_COST * buys
        parts[PARTS.index(Why.PRICE)] = np.where(buys, tariff, 0.0)
        parts[PARTS.index(Why.DEMAND)] = goals.DEMAND_COST * (buys & is_over)
        parts[PARTS.index(Why.LATE)] = np.where(buys, steps, supply.sun_cost)
    return add, cut


def _row(
    place: int,
    line: PlanLine,
    weighed: Weighed,
    snapshot: SiteSnapshot,
    made: ChargingPlan,
    sources: tuple[Floats, Floats],
) -> _Row:
    add, cut = (each.copy() for each in sources)
    for parts, comfort in ((add, weighed.add[place]), (cut, weighed.cut[place])):
        parts[PARTS.index(Why.RISK)] = weighed.risk[place]
        parts[PARTS.index(Why.MARGIN)] = comfort
    return _Row(place, weighed.cars.demands[place], line, weighed, snapshot, made, weighed.energy_wh[place], add, cut)


def _explained(row: _Row, evse: EvseSpec) -> SessionExplanation:
    weighed, line = row.weighed, row.line
    total_wh = np.maximum(weighed.supply.total_wh, 1.0)
    grid_wh = float((row.energy_wh * weighed.supply.from_grid_wh / total_wh).sum())
    planned_wh = float(row.energy_wh.sum())
    spans = _spans(row)
    return SessionExplanation(
        session_id=line.session_id,
        evse_id=line.evse_id,
        target_w=line.target_w,
        now=(*now_reasons(row.demand, evse, line, row.snapshot, row.made), *(each.reason for each in spans[:1])),
        spans=spans,
        planned_wh=planned_wh,
        sun_wh=planned_wh - grid_wh,
        grid_wh=grid_wh,
        now_instead=now_instead(row.weighed, row.place, row.snapshot, row.made),
        done_at=_done_at(row),
        missing_wh=line.unmet_wh,
        missing_for=line.reason,
        stay_basis="" if row.demand.outlook is None else row.demand.outlook.basis,
    )


def _spans(row: _Row) -> tuple[SpanReason, ...]:
    """Return the slots up to the departure, those together that follow each other for the same reason."""
    slots = row.made.slots
    used = frozenset(np.flatnonzero(row.energy_wh > 0).tolist())
    numbers = [number for number, slot in enumerate(slots) if number == 0 or slot.start_at < row.demand.departs_at]
    decided = {number: (_of_slot(row, number), _why_not_more(row, number)) for number in numbers}

    def key(number: int) -> tuple[object, ...]:
        (code, _, bar), less = decided[number]
        return code, bar, number in used, less and (less[0], less[2])

    found = []
    for _, group in groupby(numbers, key):
        span = list(group)
        interval = Interval(slots[span[0]].start_at, slots[span[-1]].end_at)
        power_w = float(row.energy_wh[span].sum()) / (interval.span / timedelta(hours=1))
        (code, _, bar), less = decided[span[0]]
        others = frozenset(decided[number][0][1] for number in span) - {NO_SLOT} if span[0] in used else used
        found.append(
            SpanReason(
                interval,
                power_w,
                Reason(code, sentence(code, _told_span(row, interval, power_w, others, bar), row.demand, row.made)),
                None if less is None else _less(row, interval, less, used - set(span)),
            )
        )
    return tuple(found)


def _told_span(row: _Row, interval: Interval, power_w: float, others: frozenset[int], bar: int) -> Span:
    weighed = row.weighed
    return Span(
        interval,
        ZoneInfo(row.snapshot.site.zone),
        power_w,
        others,
        gone_share=float(weighed.gone[row.place, max(others, default=-1)]),
        feeder_id=weighed.feeder_ids[bar] if bar >= 0 else "",
    )


def _less(row: _Row, interval: Interval, less: Decided, others: frozenset[int]) -> Reason:
    told = _told_span(row, interval, 0.0, others, less[2])
    return Reason(less[0], not_more(less[0], told, row.demand, row.made))


def _why_not_more(row: _Row, number: int) -> Decided | None:
    """Return why it does not take more in a slot in which it charges with less than it could."""
    least_wh = row.weighed.most_wh[row.place, number] - WHOLE_WH
    return _why_not(row, number) if 0 < row.energy_wh[number] < least_wh else None


def _of_slot(row: _Row, number: int) -> Decided:
    if row.demand.need_wh < 1:
        return Why.FULL, NO_SLOT, OPEN
    return _why_here(row, number) if row.energy_wh[number] > 0 else _why_not(row, number)


def _why_here(row: _Row, number: int) -> Decided:
    """Return why it charges in a slot: its sun, or what makes the best other slot worse."""
    supply = row.weighed.supply
    if supply.from_grid_wh[number] <= (1 - SUN_SHARE) * supply.total_wh[number]:
        return Why.SUN, NO_SLOT, OPEN
    total = row.add.sum(axis=0) - float(row.cut[:, number].sum())
    total[number] = np.inf
    best = int(np.argmin(total))
    if not np.isfinite(total[best]):
        return Why.PROMISE, NO_SLOT, OPEN
    why = _largest(row, number, best)
    if why is Why.LATE and np.isfinite(total[number + 1 :]).any():
        later = number + 1 + int(np.argmin(total[number + 1 :]))
        why_not_later = _largest(row, number, later)
        if why_not_later not in {Why.LATE, Why.MARGIN, Why.SUN}:
            return why_not_later, later, OPEN
    return (Why.PROMISE if why in {Why.LATE, Why.SUN} else why), best, OPEN


def _why_not(row: _Row, number: int) -> Decided:
    """Return why it does not charge in a slot: no room, done by then, or what makes it worse than its dearest slot."""
    bar = int(row.weighed.barred[row.place, number])
    if bar == CLOSED:
        return Why.CAR, NO_SLOT, OPEN
    used = np.flatnonzero(row.energy_wh > 0)
    if row.line.unmet_wh < 1 and len(used) and number > used[-1]:
        return Why.DONE, int(used[-1]), OPEN
    if bar != OPEN:
        return _barred(row, number, bar)
    if not len(used):
        return Why.LATE, NO_SLOT, OPEN
    dearest = int(np.argmax(row.cut.sum(axis=0)))
    return _largest(row, dearest, number), dearest, OPEN


def _barred(row: _Row, number: int, bar: int) -> Decided:
    weighed = row.weighed
    without_wh = weighed.above_wh[number] - weighed.booked_wh[number]
    if bar == SITE and weighed.booked_wh[number] > 0 and without_wh < weighed.room_wh[number] - 1:
        return Why.BOOKING, NO_SLOT, bar
    return (Why.SITE_LIMIT if bar == SITE else Why.FEEDER_LIMIT), NO_SLOT, bar


def _largest(row: _Row, here: int, there: int) -> Why:
    """Return the largest part of what a move from `here` to `there` costs; none that is worth a word: LATE."""
    parts = row.add[:, there] - row.cut[:, here]
    why = PARTS[int(np.argmax(parts))]
    if why in {Why.LATE, Why.MARGIN} and parts.max() <= goals.STEP_COST * len(row.energy_wh):
        return Why.LATE
    if why is Why.PRICE:
        costs = [price_cost(row.snapshot, row.made.slots[each].start_at) for each in (here, there)]
        if None in costs or costs[0] == costs[1]:
            return Why.CO2
    return why


def _done_at(row: _Row) -> datetime | None:
    """Return when it has everything, as planned: in the last slot that it uses, at its full power there."""
    used = np.flatnonzero(row.energy_wh > 0)
    if row.line.unmet_wh >= 1 or row.demand.need_wh < 1 or not len(used):
        return row.made.made_at if row.demand.need_wh < 1 else None
    last = int(used[-1])
    slot = row.made.slots[last]
    share = min(1.0, float(row.energy_wh[last] / max(1.0, row.weighed.most_wh[row.place, last])))
    return slot.start_at + (min(slot.end_at, row.demand.departs_at) - slot.start_at) * share
