"""The charging stations as they are: firmware with profiles, a clock of its own, cars that lag, and bad days.

A station applies what it accepts within `APPLY_MOST_S` and the car follows within `LAG_MOST_S`: together less than
SETTLE. A *surprised* station does neither: it forgot its profiles, or accepts and ignores them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.domain.commands import Accepted, ApplyProfile, Outcome, Profile, RateUnit, ReadComposite, Rejected
from app.domain.snapshot import EvseSpec
from proofs.agenda import Agenda, since_start_s
from proofs.parks import APPLY_MOST_S, LAG_MOST_S, Wires
from simulators.feeders import FeederTree, Load, Trace, snapped_a


class Surprise(StrEnum):
    """How a station breaks the promise that its defaults and leases are."""

    RESET = "factory reset"
    FORGETFUL = "forgets its profiles"
    LYING = "accepts and ignores"
    FALSE_READ_BACK = "lies about its profiles too"


SILENT = (Surprise.LYING, Surprise.FALSE_READ_BACK)


@dataclass(slots=True)
class Car:
    """A car at an EVSE: which session, what it can take, and on which pairs of wires."""

    session_id: str
    max_current_a: float
    pairs: tuple[str, ...]


Call = ApplyProfile | ReadComposite
"""What a controller may say to a station here."""


class Outlet:
    """One EVSE with its wires, and the car at its cable."""

    def __init__(self, spec: EvseSpec, wires: Wires, tree: FeederTree, lag_degrees: float) -> None:
        self.spec = spec
        self.wires = wires
        self.car: Car | None = None
        self.default: tuple[float, RateUnit] | None = None
        self.lease: Profile | None = None
        node = spec.feeder_id or ""
        self.traces = {pair: tree.add(Load(node, pair, Trace(), lag_degrees)) for pair in wires.pairs}
        self.aim_a = 0.0

    def power_w(self, now_s: float, voltage_share: float) -> float:
        """Return what the meter shows, at this share of the nominal voltage."""
        current_a = sum(trace.current_a_at(now_s) for trace in self.traces.values())
        return current_a * self.wires.voltage_v * voltage_share

    def energy_wh(self, starts_s: float, ends_s: float) -> float:
        """Return what it delivered at nominal voltage."""
        return sum(trace.charge_ah(starts_s, ends_s) for trace in self.traces.values()) * self.wires.voltage_v


class Charger:
    """One station."""

    def __init__(
        self, station_id: str, outlets: dict[int, Outlet], clock_offset_s: float, agenda: Agenda, rng: random.Random
    ) -> None:
        self.station_id = station_id
        self.outlets = outlets
        self.surprise: Surprise | None = None
        self.surprised_s = 0.0
        self.frozen_until_s = 0.0
        self.voltage_share = 1.0
        self._clock_offset_s = clock_offset_s
        self._agenda = agenda
        self._rng = rng
        self._snaps_up = rng.choice([True, False])
        self._applies_s = 0.0
        for outlet in outlets.values():
            self.provision(outlet)

    def provision(self, outlet: Outlet) -> None:
        """Have the default that commissioning installed."""
        spec = outlet.spec
        is_in_w = spec.rate_unit is RateUnit.W
        outlet.default = (spec.safe_power_w if is_in_w else spec.safe_power_w / spec.w_per_a, spec.rate_unit)

    @property
    def is_honest(self) -> bool:
        """Whether it does what it is told."""
        return self.surprise is None

    def plug_in(self, outlet: Outlet, car: Car) -> None:
        """A car comes; its contactor closes at once."""
        outlet.car, outlet.lease = car, None
        self._follow(outlet)

    def unplug(self, outlet: Outlet) -> None:
        """The car leaves."""
        outlet.car, outlet.lease, outlet.aim_a = None, None, 0.0
        for trace in outlet.traces.values():
            trace.cut(self._agenda.now_s)

    def reboot(self) -> None:
        """Lose the leases, keep the defaults."""
        for outlet in self.outlets.values():
            outlet.lease = None
            self._follow(outlet)

    def be_surprised(self, surprise: Surprise) -> None:
        """From now on be forgetful or a liar, and draw whatever the car takes."""
        self.surprise, self.surprised_s = surprise, self._agenda.now_s
        for outlet in self.outlets.values():
            outlet.default, outlet.lease = None, None
            self._follow(outlet)

    def be_honest(self) -> None:
        """Be a good station again that has nothing installed."""
        self.surprise = None

    def note_car(self, outlet: Outlet) -> None:
        """The car takes another current at most."""
        self._follow(outlet)

    def note_voltage(self, voltage_share: float) -> None:
        """The mains have another voltage: who limits W draws other amperes at once."""
        self.voltage_share = voltage_share
        for outlet in self.outlets.values():
            if outlet.car is not None and outlet.spec.rate_unit is RateUnit.W:
                self._follow(outlet)

    def answer(self, call: Call) -> Outcome:
        """Take a call; what it changes is in force within `APPLY_MOST_S`."""
        outlet = self.outlets[call.evse_number]
        if isinstance(call, ReadComposite):
            return self._read_back(outlet)
        profile = call.profile
        if profile.station_ref is not None and (outlet.car is None or outlet.car.session_id != profile.station_ref):
            return Rejected("no such transaction")
        if self.surprise is None or self.surprise is Surprise.RESET:
            self._applies_s = max(self._applies_s, self._agenda.now_s + self._rng.uniform(0.0, APPLY_MOST_S))
            self._agenda.at(self._applies_s, self._applier(outlet, profile))
        return Accepted()

    def _applier(self, outlet: Outlet, profile: Profile) -> Callable[[], None]:
        def apply() -> None:
            if self.surprise not in (None, Surprise.RESET):
                return
            if profile.station_ref is None:
                outlet.default = (profile.periods[0].limit, profile.unit)
            elif outlet.car is not None and outlet.car.session_id == profile.station_ref:
                self._take_lease(outlet, profile)
            self._follow(outlet)

        return apply

    def _take_lease(self, outlet: Outlet, profile: Profile) -> None:
        """Have a lease; of one that comes after its end only the period beyond it is left."""
        ends_s = self._lease_ends_s(profile)
        if ends_s <= self._agenda.now_s:
            outlet.lease = replace(profile, periods=profile.periods[1:])
            return
        outlet.lease = profile
        delay_s = self._rng.uniform(0.0, APPLY_MOST_S)

        def end() -> None:
            if outlet.lease is profile:
                outlet.lease = replace(profile, periods=profile.periods[1:])
                self._follow(outlet)

        self._agenda.at(ends_s + delay_s, end)

    def _lease_ends_s(self, profile: Profile) -> float:
        """Return when its second period begins by the station's clock, in true time."""
        assert profile.start_at is not None
        return since_start_s(profile.start_at) + profile.periods[-1].offset_s - self._clock_offset_s

    def _read_back(self, outlet: Outlet) -> Outcome:
        """Return the composite schedule: a lease with what comes behind it, else the default, else all there is."""
        unit = outlet.spec.rate_unit
        w_per_unit = 1.0 if unit is RateUnit.W else outlet.spec.w_per_a
        periods: list[list[float]] = [[0, outlet.spec.nameplate_w / w_per_unit]]
        if self.surprise is Surprise.FALSE_READ_BACK:
            periods = [[0, outlet.spec.safe_power_w / w_per_unit]]
        elif outlet.lease is not None:
            left_s = max(1.0, self._lease_ends_s(outlet.lease) - self._agenda.now_s)
            offsets_s = (0.0, left_s)
            periods = [[offset_s, each.limit] for offset_s, each in zip(offsets_s, outlet.lease.periods, strict=False)]
        elif outlet.default is not None:
            periods = [[0, outlet.default[0]]]
        return Accepted({"unit": unit.value, "periods": periods})

    def _limit(self, outlet: Outlet) -> tuple[float, RateUnit] | None:
        if outlet.lease is not None:
            return outlet.lease.periods[0].limit, outlet.lease.unit
        return outlet.default

    def offered_a(self, outlet: Outlet) -> float:
        """Return what the pilot says, in A per phase."""
        spec, car = outlet.spec, outlet.car
        most_a = spec.nameplate_w / spec.w_per_a
        limit = self._limit(outlet)
        if limit is None or car is None:
            return most_a
        amount, unit = limit
        if unit is RateUnit.W:
            amount = amount / (outlet.wires.voltage_v * self.voltage_share * len(car.pairs))
        return snapped_a(min(amount, most_a), up=self._snaps_up)

    def _follow(self, outlet: Outlet) -> None:
        """Have the car go to what the pilot says."""
        car = outlet.car
        if car is None:
            return
        aim_a = min(self.offered_a(outlet), car.max_current_a)
        if aim_a == outlet.aim_a:
            return
        outlet.aim_a = aim_a
        hold_s = self._rng.uniform(0.0, LAG_MOST_S)
        ramp_s = self._rng.uniform(0.0, LAG_MOST_S - hold_s)
        for pair in car.pairs:
            outlet.traces[pair].move(self._agenda.now_s, aim_a, hold_s, ramp_s)
