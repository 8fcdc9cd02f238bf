"""Reference policies: what other controllers do, on the same slots. None of them sees the future of a car or the sun.

A policy is asked once a slot for the energy (Wh) that each present car may take in it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from app.backtest.days import SLOT_HOURS, Car, Day, Foreseen, Powers
from app.backtest.flows import reference_plan
from app.backtest.forecasts import naive_surplus_w

NOTHING_WH = 1e-6


@dataclass(frozen=True, slots=True)
class View:
    """What a policy may look at in one slot: the cars that are there and what they still want, the metered surplus.

    `numbers` are the cars' places among the day's. `left_wh` is what they seem to want still, `got_wh` what they have
    taken since plug-in. `ends` is by when each leaves as far as the policy may know: its true or its declared departure
    (at least one slot ahead). All together stay under `site_w`. `before` are the PV powers of the days before, in W,
    `foreseen` the surplus as the house forecasts it (None: not reckoned).
    """

    day: Day
    now: int
    cars: Sequence[Car]
    left_wh: Powers
    ends: Sequence[int]
    evse_w: float
    least_w: float
    before: Sequence[Powers] = field(default=())
    numbers: Sequence[int] = field(default=())
    got_wh: Powers = field(default_factory=lambda: np.zeros(0))
    site_w: float = float("inf")
    foreseen: Foreseen | None = None

    @property
    def most_wh(self) -> Powers:
        """What each car can take in this slot."""
        return np.minimum(self.left_wh, self.evse_w * SLOT_HOURS)

    @property
    def surplus_wh(self) -> float:
        """The surplus of this slot."""
        return float(self.day.surplus_w[self.now]) * SLOT_HOURS

    @property
    def room_wh(self) -> float:
        """What the site's limit leaves for all cars in this slot."""
        return self.site_w * SLOT_HOURS


class Policy(Protocol):
    """Decides one slot."""

    def __call__(self, view: View) -> Powers:
        """Return the energy in Wh for each of `view.cars`."""
        ...


def uncontrolled(view: View) -> Powers:
    """Everybody at full power on plug-in; where the site's limit binds, in equal shares."""
    if float(view.most_wh.sum()) <= view.room_wh:
        return view.most_wh
    return _shared(view, np.zeros(len(view.cars)), view.room_wh, range(len(view.cars)))


def surplus_only(view: View) -> Powers:
    """Only sun: as many cars as the least current allows, first come first served, sharing equally (evcc "PV")."""
    least_wh = view.least_w * SLOT_HOURS
    wanting = [number for number, left_wh in enumerate(view.left_wh) if left_wh > 0]
    wanting.sort(key=lambda number: (view.cars[number].first, number))
    usable_wh = min(view.surplus_wh, view.room_wh)
    chosen = wanting[: int(usable_wh // least_wh)]
    return _shared(view, np.zeros(len(view.cars)), usable_wh, chosen)


def least_and_surplus(view: View) -> Powers:
    """The least current always (first come first served under the limit), and the sun on top, shared equally.

    This is evcc's "Min+PV".
    """
    given_wh = served(np.minimum(view.most_wh, view.least_w * SLOT_HOURS), range(len(view.cars)), view.room_wh)
    spare_wh = min(view.surplus_wh, view.room_wh) - float(given_wh.sum())
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


def served(wanted_wh: Powers, order: Iterable[int], room_wh: float) -> Powers:
    """Return what is wanted, cut where the site has no room left: those that come first in the order get theirs."""
    if float(wanted_wh.sum()) <= room_wh:
        return wanted_wh
    given_wh = np.zeros(len(wanted_wh))
    for number in order:
        given_wh[number] = min(float(wanted_wh[number]), room_wh)
        room_wh -= given_wh[number]
    return given_wh


def least_laxity(view: View) -> Powers:
    """Full power with less than a slot to spare, else the sun in the order of laxity."""
    laxity = np.array(view.ends) - view.now - view.left_wh / (view.evse_w * SLOT_HOURS)
    order = np.argsort(laxity, kind="stable")
    given_wh = served(np.where(laxity < 1, view.most_wh, 0.0), order, view.room_wh)
    spare_wh = min(view.surplus_wh, view.room_wh) - float(given_wh.sum())
    for number in order:
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
    return reference_plan(
        view.left_wh, view.ends, expected_w, view.now, view.evse_w, grid_early=grid_early, site_w=view.site_w
    )
