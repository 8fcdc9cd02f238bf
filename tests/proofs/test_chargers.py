"""The proof's charging stations, where they differ from a car park's simulator: leases by their own clock."""

import random
from functools import partial

from app.domain.commands import ApplyProfile
from app.domain.limits import LimitOrder
from app.scheduling import profiles
from proofs.agenda import Agenda, at_of
from proofs.chargers import Car, Charger, Outlet
from proofs.parks import LEASE, park_of
from simulators.feeders import FeederTree

LATEST_S = 30.0


def drawn_a(intended_s: float, arrives_s: float) -> list[float]:
    """Return what a car draws every tenth of a second, from when a raise to 16 A arrives until it has settled."""
    park = park_of(random.Random(1))
    spec = park.evses[0]
    agenda = Agenda()
    outlet = Outlet(spec, park.wires[spec.evse_id], FeederTree(park.supply, park.nodes), 0.0)
    charger = Charger(spec.station_id, {spec.evse_number: outlet}, 0.0, agenda, random.Random(1))
    order = LimitOrder(
        order_no=1,
        station_id=spec.station_id,
        evse_number=spec.evse_number,
        station_ref="session 1",
        power_w=16.0 * spec.w_per_a,
        safe_power_w=spec.safe_power_w,
        intended_at=at_of(intended_s),
        lease_ends_at=at_of(intended_s) + LEASE,
        w_per_a=spec.w_per_a,
        phase_count=spec.phase_count,
    )
    lease = profiles.lease_profile(order, spec.rate_unit)
    pair = outlet.wires.pairs[0]
    charger.plug_in(outlet, Car("session 1", 32.0, outlet.wires.pairs))
    agenda.at(arrives_s, partial(charger.answer, ApplyProfile(spec.evse_number, lease)))
    agenda.run(arrives_s + LATEST_S)
    return [outlet.traces[pair].current_a_at(arrives_s + tenth / 10) for tenth in range(int(LATEST_S) * 10)]


def test_a_lease_holds_once_it_has_come():
    assert drawn_a(intended_s=100.0, arrives_s=101.0)[-1] > 15.0


def test_a_lease_that_comes_after_its_end_holds_for_no_moment():
    late_s = 100.0 + LEASE.total_seconds() + 60.0
    assert max(drawn_a(intended_s=100.0, arrives_s=late_s)) < 6.5
