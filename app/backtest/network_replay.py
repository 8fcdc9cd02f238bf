"""Sessions replayed step by step through a policy on a network with coupled conductors, and the most that was possible.

A policy sees the cars that are there and what they still need, never who comes. What it returns must keep every limit:
a broken one ends the replay.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import highspy
import numpy as np

from app.backtest.network import Network, Stay
from app.backtest.network_policies import Moment, Policy
from app.domain.units import kwh_from_wh
from app.scheduling.coupled import CoupledCars, Numbers, spread_a

FULL_WH = 1.0
ROUNDING_SHARE = 1e-6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy did: energy delivered per stay, CPU time of each step (0 ms where nobody was there to charge)."""

    delivered_wh: np.ndarray
    step_ms: np.ndarray


def needs_kwh(stays: Sequence[Stay]) -> float:
    """Return what all stays need together."""
    return kwh_from_wh(sum(stay.need_ah * stay.station.voltage_v for stay in stays))


def replay(
    stays: Sequence[Stay], network: Network, step_h: float, policy: Policy, advance: Callable[[], None] = lambda: None
) -> Outcome:
    """Return what the policy delivers; `advance` is called at each step. Raises RuntimeError for a broken limit."""
    all_cars = _cars(stays, step_h)
    arrived = np.array([stay.arrives for stay in stays])
    leaves = np.array([stay.leaves for stay in stays])
    voltages_v = np.array([stay.station.voltage_v for stay in stays])
    draws_a = np.array([stay.draw_a for stay in stays])
    left_ah, seen_a = all_cars.needs_ah.copy(), np.full(len(stays), np.inf)
    places = np.argsort([stay.station.place for stay in stays], kind="stable")
    steps_ms = []
    for step in range(int(arrived.min()), int(leaves.max())):
        here = places[(arrived[places] <= step) & (leaves[places] > step)]
        here = here[left_ah[here] * voltages_v[here] > FULL_WH]
        began_s = time.process_time()
        if len(here):
            stays_h = (leaves[here] - step) * step_h
            cars = CoupledCars(left_ah[here], stays_h, all_cars.most_a[here], all_cars.groups[here])
            rates_a = policy(Moment(cars, seen_a[here], arrived[here], network.coupling, step_h))
            steps_ms.append((time.process_time() - began_s) * 1000)
            _check(rates_a, cars, network)
            seen_a[here] = np.where(rates_a > draws_a[here] + ROUNDING_SHARE, draws_a[here], seen_a[here])
            left_ah[here] -= np.minimum(np.minimum(rates_a, draws_a[here]) * step_h, left_ah[here])
        else:
            steps_ms.append(0.0)
        advance()
    return Outcome((all_cars.needs_ah - left_ah) * voltages_v, np.array(steps_ms))


def most_possible(stays: Sequence[Stay], network: Network, step_h: float, solver: highspy.Highs) -> Outcome:
    """Return the most that could have been delivered, everything known in advance: one linear programme.

    Between two comings and goings all steps are alike, so they are one span. The facets lie around the limits: the
    figure is a bound that no policy can pass (by less than 0.1 % of a current more than the limits themselves allow).
    """
    cars = replace(_cars(stays, step_h), most_a=np.array([stay.draw_a for stay in stays]))
    arrives, leaves = np.array([stay.arrives for stay in stays]), np.array([stay.leaves for stay in stays])
    edges = np.unique(np.append(arrives, leaves))
    began_s = time.process_time()
    comes, goes = np.searchsorted(edges, arrives), np.searchsorted(edges, leaves)
    widths_h = np.diff(edges) * step_h
    voltages_v = np.array([stay.station.voltage_v for stay in stays])
    delivered_wh = np.zeros(len(stays))
    for first, last in _occupied(comes, goes):
        own = np.flatnonzero((comes >= first) & (goes <= last))
        part = CoupledCars(cars.needs_ah[own], cars.stays_h[own], cars.most_a[own], cars.groups[own])
        worth = np.repeat(voltages_v[own][:, None], last - first, axis=1) / voltages_v.max()
        plan_a = spread_a(
            part, network.coupling, widths_h[first:last], comes[own] - first, goes[own] - first, worth, solver
        )
        delivered_wh[own] = plan_a @ widths_h[first:last] * voltages_v[own]
    return Outcome(delivered_wh, np.array([(time.process_time() - began_s) * 1000 / (edges[-1] - edges[0])]))


def _occupied(comes: Numbers, goes: Numbers) -> list[tuple[int, int]]:
    """Return the stretches of spans in which somebody is there without a break."""
    stretches: list[tuple[int, int]] = []
    for first, last in sorted(zip(comes.tolist(), goes.tolist(), strict=True)):
        if stretches and first < stretches[-1][1]:
            stretches[-1] = stretches[-1][0], max(stretches[-1][1], last)
        else:
            stretches.append((first, last))
    return stretches


def _cars(stays: Sequence[Stay], step_h: float) -> CoupledCars:
    return CoupledCars(
        np.array([stay.need_ah for stay in stays]),
        np.array([(stay.leaves - stay.arrives) * step_h for stay in stays]),
        np.array([stay.station.max_a for stay in stays]),
        np.array([stay.station.group for stay in stays]),
    )


def _check(rates_a: np.ndarray, cars: CoupledCars, network: Network) -> None:
    by_group = np.bincount(cars.groups, weights=rates_a, minlength=network.coupling.group_count)
    if network.coupling.stretch_factor(by_group) > 1 + ROUNDING_SHARE or np.any(rates_a > cars.most_a + ROUNDING_SHARE):
        raise RuntimeError("the policy broke a limit")
