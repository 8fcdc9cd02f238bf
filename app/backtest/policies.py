"""Reference policies: what other controllers do, on the same slots. None of them sees the future of a car or the sun.

A policy is asked once a slot for the energy (Wh) that each present car may take in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from app.backtest.days import SLOT_HOURS, Car, Day, Powers
from app.backtest.flows import reference_plan
from app.backtest.forecasts import naive_surplus_w

NOTHING_WH = 1e-6


@dataclass(frozen=True, slots=True)
class View:
    """What a policy may look at in one slot: the cars that are there and what they still want, the metered surplus.

    `ends` is by when each car leaves as far as the policy may know: its true or its declared departure (at least one
    slot ahead). `before` are the PV powers of the days before, in W.
    """

    day: Day
    now: int
    cars: Sequence[Car]
    left_wh: Powers
    ends: Sequence[int]
    evse_w: float
    least_w: float
    before: Sequence[Powers] = field(default=())

    @property
    def most_wh(self) -> Powers:
        """What each car can take in this slot."""
        return np.minimum(self.left_wh, self.evse_w * SLOT_HOURS)

    @property
    def surplus_wh(self) -> float:
        """The surplus of this slot."""
        return float(self.day.surplus_w[self.now]) * SLOT_HOURS


class Policy(Protocol):
    """Decides one slot."""

    def __call__(self, view: View) -> Powers:
        """Return the energy in Wh for each of `view.cars`."""
        ...


def uncontrolled(view: View) -> Powers:
    """Everybody at full power on plug-in."""
    return view.most_wh


def surplus_only(view: View) -> Powers:
    """Only sun: as many cars as the least current allows, first come first served, sharing equally (evcc "PV")."""
    least_wh = view.least_w * SLOT_HOURS
    wanting = [number for number, left_wh in enumerate(view.left_wh) if left_wh > 0]
    wanting.sort(key=lambda number: (view.cars[number].first, number))
    chosen = wanting[: int(view.surplus_wh // least_wh)]
    return _shared(view, np.zeros(len(view.cars)), view.surplus_wh, chosen)


def least_and_surplus(view: View) -> Powers:
    """The least current always, and the sun on top, shared equally (evcc "Min+PV")."""
    given_wh = np.minimum(view.most_wh, view.least_w * SLOT_HOURS)
    spare_wh = view.surplus_wh - float(given_wh.sum())
    return _shared(view, given_wh, spare_wh, [number for number, left_wh in enumerate(view.left_wh) if left_wh > 0])


def _shared(view: View, given_wh: Powers, spare_wh: float, chosen: Sequence[int]) -> Powers:
    """Return the energies with the spare shared equally among the chosen, none above what it can take."""
    open_ones = list(chosen)
    while spare_wh > NOTHING_WH and open_ones:
        share_wh = spare_wh / len(open_ones)
        for number in list(open_ones):
            taken_wh = min(share_wh, float(view.most_wh[number] - given_wh[number]))
            given_wh[number] += taken_wh
            spare_wh -= taken_wh
            if taken_wh < share_wh:
                open_ones.remove(number)
    return given_wh


def least_laxity(view: View) -> Powers:
    """Full power with less than a slot to spare, else the sun in the order of laxity."""
    laxity = np.array(view.ends) - view.now - view.left_wh / (view.evse_w * SLOT_HOURS)
    given_wh = np.where(laxity < 1, view.most_wh, 0.0)
    spare_wh = view.surplus_wh - float(given_wh.sum())
    for number in np.argsort(laxity, kind="stable"):
        if spare_wh <= 0:
            break
        taken_wh = min(spare_wh, float(view.most_wh[number] - given_wh[number]))
        given_wh[number] += taken_wh
        spare_wh -= taken_wh
    return given_wh


def grid_late(view: View) -> Powers:
    """Model-predictive with the naive forecast: sun first, what is missing bought as late as possible."""
    return _planned(view, grid_early=False)


def grid_early(view: View) -> Powers:
    """The same, with what is missing bought at once."""
    return _planned(view, grid_early=True)


def _planned(view: View, *, grid_early: bool) -> Powers:
    expected_w = naive_surplus_w(view.day, view.before, view.now)
    return reference_plan(view.left_wh, view.ends, expected_w, view.now, view.evse_w, grid_early=grid_early)
