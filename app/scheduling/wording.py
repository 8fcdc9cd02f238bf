"""What a slot's reason is in plain English, with figures and the site's local time."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from app.domain.explanation import Why
from app.domain.intervals import Interval
from app.domain.plan import ChargingPlan
from app.domain.snapshot import Demand
from app.domain.units import kw_from_w

KW_DIGITS = 1

HERE = {
    Why.SUN: "from the sun",
    Why.PROMISE: "from the grid, as late as is safe: the sun alone does not give what was promised until {leaves}",
    Why.RISK: "from the grid, for it may leave early: it has left by {end} with a probability of {gone}",
    Why.PRICE: "from the grid, which is cheaper than {other}",
    Why.CO2: "from the grid, which is cleaner than {other}",
    Why.DEMAND: "from the grid: {other} it would add to the contract's demand",
    Why.MARGIN: "from the grid, to be done some time before {leaves}",
}
ALL_THAT_IS_LEFT = "from the grid: all other times until {leaves} are used up or too full for what was promised"
NOT_HERE = {
    Why.FULL: "it has what was asked for",
    Why.CAR: "the car can take nothing then (it leaves at {leaves})",
    Why.DONE: "it has everything by then",
    Why.SITE_LIMIT: "the site's limit leaves no room: others need it then",
    Why.FEEDER_LIMIT: "the limit of feeder {feeder} leaves no room: others need it then",
    Why.BOOKING: "the room is kept for a car that has booked",
    Why.SUN: "there is sun for it {other}",
    Why.RISK: "it may have left by then, so it charges {other}",
    Why.PRICE: "the grid is cheaper {other}",
    Why.CO2: "the grid is cleaner {other}",
    Why.DEMAND: "it would add to the contract's demand, {other} it does not",
    Why.MARGIN: "it is to be done before, so it charges {other}",
    Why.LATE: "{other} is as good, with the sun used early, the grid late and few changes",
}


def clock(at: datetime, zone: ZoneInfo) -> str:
    """Return the local time of day."""
    return f"{at.astimezone(zone):%H:%M}"


def kw(power_w: float) -> str:
    """Return a power for people."""
    return f"{round(kw_from_w(power_w), KW_DIGITS):g} kW"


@dataclass(frozen=True, slots=True)
class Span:
    """Slots that follow each other for the same reason.

    `power_w` is what the session takes (a mean, 0: it does not charge), `others` the slots they were compared with
    (where it does not charge: those in which it does), `gone_share` the probability that it has left by the last of
    them, `feeder_id` the feeder that is full.
    """

    interval: Interval
    zone: ZoneInfo
    power_w: float
    others: Collection[int]
    gone_share: float = 0.0
    feeder_id: str = ""


def sentence(why: Why, span: Span, demand: Demand, made: ChargingPlan) -> str:
    """Return the reason as a sentence about this session."""
    when = f"{clock(span.interval.start_at, span.zone)}–{clock(span.interval.end_at, span.zone)}"
    if span.power_w <= 0:
        return f"{when}: not, {_filled(NOT_HERE[why], span, demand, made)}"
    template = ALL_THAT_IS_LEFT if why is Why.PROMISE and not span.others else HERE[why]
    return f"{when}: {kw(span.power_w)}, {_filled(template, span, demand, made)}"


def not_more(why: Why, span: Span, demand: Demand, made: ChargingPlan) -> str:
    """Return why it does not take more, as a sentence about this session."""
    return f"not more, {_filled(NOT_HERE[why], span, demand, made)}"


def _filled(template: str, span: Span, demand: Demand, made: ChargingPlan) -> str:
    return template.format(
        leaves=clock(demand.departs_at, span.zone),
        other=_times(span.others, made, span.zone),
        end=clock(made.slots[max(span.others, default=0)].end_at, span.zone),
        gone=f"{span.gone_share:.0%}",
        feeder=span.feeder_id,
    )


def _times(numbers: Collection[int], made: ChargingPlan, zone: ZoneInfo) -> str:
    """Return when these slots are: one time, or from the first to the last."""
    if not numbers:
        return "at other times"
    first, last = made.slots[min(numbers)], made.slots[max(numbers)]
    start = clock(first.start_at, zone)
    return f"at {start}" if first == last else f"between {start} and {clock(last.end_at, zone)}"
