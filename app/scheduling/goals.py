"""What a plan weighs, in cost per Wh: the planner's goals in their order, as whole numbers.

Limits are no goals but constraints. Then, in this order: promised energy of plugged-in cars, of bookings, the risk that
a car leaves before it is done, sun before grid, the contract's 30-minute demand, the grid's price, its CO2, early
comfort, few changes.

Why the order holds though all of it is one sum: two plans of a flow differ by cycles, and a simple cycle passes the
sink at most once. So one Wh of unmet, solar or grid energy is exchanged for one other, never two for one, and among
those a weight has to exceed only the sum of the ranges below it: UNMET > BOOKING_UNMET > GRID > DEMAND >
MOST_MEANS_RATIO x (PRICE + CO2) + steps of two whole horizons. What is paid on the way (risk, buffer, changes) may add
up once per slot that a cycle touches, 144 in 36 hours: UNMET and BOOKING_UNMET lie further apart, and above the rest,
than 144 times the highest risk price. Risk against sun and grid is an exchange on purpose: a Wh that would be missed
with probability p is worth `miss_cost_ratio` x p Wh from the grid. So are prices against CO2, and both against steps: a
difference of a few percent is not worth hours.

One exception is older than this order and meant: within the buffer before a departure that nothing was learnt of,
charging with more than a part of the power (CROWDED_BUFFER_COST) is dearer than grid energy before it.
"""

UNMET_COST = 1_000_000_000
BOOKING_UNMET_COST = 100_000_000
ARRIVAL_UNMET_COST = 20_000
GRID_COST = 20_000
DEMAND_COST = 8_000
PRICE_COST = 2_500
CO2_COST = 600
MOST_MEANS_RATIO = 2.0
"""By how many means a price is counted as higher than the lowest at most."""

BUFFER_COST = 4_000
CROWDED_BUFFER_COST = 40_000
BUFFER_SHARE = 0.35
CROWDED_SITE_COST = 10
CROWDED_SITE_SHARE = 0.15
STEP_COST = 4
CHANGE_COST = 2

MOST_MISS_RATIO = 30.0
"""Beyond this a miss counts no more: a risk price must stay far below a promise."""

LEAST_SURE_SHARE = 0.5
"""What the least sure part of what was asked for counts towards the promise."""


def unmet_cost(share: float) -> int:
    """Return what it costs not to deliver a Wh that a plugged-in car asked for: the surer it takes it, the more."""
    return round(UNMET_COST * (LEAST_SURE_SHARE + (1 - LEAST_SURE_SHARE) * min(1.0, max(0.0, share))))


def risk_cost(miss_cost_ratio: float) -> float:
    """Return what a Wh costs in a slot by the end of which the car is surely gone."""
    return GRID_COST * min(MOST_MISS_RATIO, max(0.0, miss_cost_ratio))
