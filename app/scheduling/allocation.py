"""The allocator: which limits may be sent now so that INV-1 holds at every feeder whatever is lost, late or dead.

Lowering never needs headroom and comes first; raising needs room in every row that the EVSE loads, where every entry
counts from the moment it is intended (design: site limit, rules R1–R6). "Raise" means above what may be in force
already, not above what was acknowledged last (R2).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.limits import EvseLedger, LimitEntry, LimitIntent
from app.domain.snapshot import EvseSpec, SiteSpec
from app.scheduling.feeders import Grid, Sums
from app.scheduling.ledger import base_w, next_release_at, possible_w

RENEW_SHARE = 0.4
JITTER_SHARE = 0.1
DEAD_BAND_SHARE = 0.02
LOOK_AGAIN = timedelta(seconds=60)
SHORTEST_WAKE = timedelta(seconds=5)
RENEW_EARLY = timedelta(seconds=30)
LASTING = timedelta(seconds=90)  # as long as a leader may be frozen between deciding and writing
GUARD_W = 1e-3


@dataclass(frozen=True, slots=True)
class Target:
    """What is wanted at an EVSE with a session, and the limit it accepted last.

    `accepted` is the newest accepted entry whose lease still runs (None: only the default holds); `in_flight` says that
    a newer intent waits for its outcome; `is_doubtful` that a newer one ended in an error, so that nobody knows which
    of them holds.
    """

    evse_id: int
    session_id: str
    target_w: float
    accepted: LimitEntry | None
    in_flight: bool
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Allocation:
    """Intents to write and send, and when to look again at the latest."""

    intents: tuple[LimitIntent, ...]
    wake_at: datetime


@dataclass(frozen=True, slots=True)
class _Raise:
    evse: EvseSpec
    target: Target
    wanted_w: float
    current_w: float
    dead_band_w: float


def allocate(
    site: SiteSpec,
    evses: Sequence[EvseSpec],
    ledgers: Mapping[int, EvseLedger],
    targets: Mapping[int, Target],
    grid: Grid,
    now: datetime,
) -> Allocation:
    """Decide what to send now. Deterministic; sends nothing to EVSEs that are not ready, or mid-call."""
    sums = _sums(site, evses, ledgers, grid, now)
    ready = [evse for evse in sorted(evses, key=lambda each: each.evse_id) if _is_steerable(evse, ledgers, targets)]
    wanted_w = _fitting_w(grid, sums.powers_w, ready, ledgers, targets)
    intents: list[LimitIntent] = []
    raises: list[_Raise] = []
    for evse in ready:
        target = targets[evse.evse_id]
        if target.in_flight:
            continue
        current_w = base_w(ledgers[evse.evse_id]) if target.accepted is None else target.accepted.power_w
        dead_band_w = 0.0 if target.accepted is None else DEAD_BAND_SHARE * evse.nameplate_w
        at_evse_w = wanted_w[evse.evse_id]
        least_step_w = 0.0 if sums.is_tight(evse.evse_id) else dead_band_w
        if at_evse_w < current_w - least_step_w or (at_evse_w == 0.0 < current_w):
            intents.append(_intent(site, evse, target, at_evse_w, now, "lower"))
        elif at_evse_w > current_w + dead_band_w:
            raises.append(_Raise(evse, target, at_evse_w, current_w, dead_band_w))
        else:
            intents += _kept(site, evse, target, sums, now)
    blocked = False
    for each in sorted(raises, key=lambda each: (each.current_w - each.wanted_w, each.evse.evse_id)):
        granted_w = _usable_w(min(each.wanted_w, sums.highest_w(each.evse.evse_id)), each.evse)
        blocked = blocked or granted_w < each.wanted_w
        if granted_w > each.current_w + each.dead_band_w:
            intents.append(_intent(site, each.evse, each.target, granted_w, now, "raise"))
            sums.count(each.evse.evse_id, max(granted_w, sums.powers_w[each.evse.evse_id]))
        else:
            intents += _kept(site, each.evse, each.target, sums, now)
    return Allocation(tuple(intents), _wake_at(site, ledgers, targets, now, blocked=blocked))


def _sums(
    site: SiteSpec, evses: Sequence[EvseSpec], ledgers: Mapping[int, EvseLedger], grid: Grid, now: datetime
) -> Sums:
    """Return the rows with all that may be in force now; where one is exceeded, only what lasts needs no room there.

    Else an order that is written a moment after it was decided would renew an excess that was about to end.
    """
    counted_w = {evse.evse_id: possible_w(ledgers[evse.evse_id], now, site.settle) for evse in evses}
    if not grid.excesses(counted_w):
        return Sums(grid, counted_w)
    lasting_w = {evse.evse_id: possible_w(ledgers[evse.evse_id], now + LASTING, site.settle) for evse in evses}
    return Sums(grid, counted_w, lasting_w)


def _is_steerable(evse: EvseSpec, ledgers: Mapping[int, EvseLedger], targets: Mapping[int, Target]) -> bool:
    return evse.evse_id in targets and evse.is_ready and ledgers[evse.evse_id].default_w is not None


def _fitting_w(
    grid: Grid,
    possible_w: Mapping[int, float],
    ready: Sequence[EvseSpec],
    ledgers: Mapping[int, EvseLedger],
    targets: Mapping[int, Target],
) -> dict[int, float]:
    """Return what is wanted at each EVSE, cut so that every row holds once all of it is in force.

    Who cannot be steered keeps what may be in force there. What goes above the base is cut in proportion, row by row.
    """
    wanted = {evse.evse_id: _usable_w(targets[evse.evse_id].target_w, evse) for evse in ready}
    base = {evse.evse_id: base_w(ledgers[evse.evse_id]) for evse in ready}
    counted = {**possible_w, **{evse_id: max(power_w, base[evse_id]) for evse_id, power_w in wanted.items()}}
    by_id = {evse.evse_id: evse for evse in ready}
    loads = grid.loads(counted)
    for number, row in enumerate(grid.rows):
        excess = loads[number] - row.capacity
        if excess <= GUARD_W:
            continue
        above = {
            (evse_id, share): share.load(counted[evse_id]) - share.load(base[evse_id])
            for evse_id, share in grid.loaders[number]
            if evse_id in by_id and counted[evse_id] > base[evse_id]
        }
        kept_share = max(0.0, 1 - excess / total) if (total := sum(above.values())) > 0 else 1.0
        for (evse_id, share), load in above.items():
            cut_w = max(base[evse_id], share.power_w(share.load(base[evse_id]) + load * kept_share))
            for touched in grid.shares[evse_id]:
                loads[touched.row] += touched.load(min(counted[evse_id], cut_w)) - touched.load(counted[evse_id])
            counted[evse_id] = min(counted[evse_id], cut_w)
            wanted[evse_id] = _usable_w(min(wanted[evse_id], counted[evse_id]), by_id[evse_id])
    return wanted


def _kept(site: SiteSpec, evse: EvseSpec, target: Target, sums: Sums, now: datetime) -> list[LimitIntent]:
    """Return what keeps an EVSE where it is: its renewal when due, or a repetition where nobody knows what holds.

    Both pass through R2 and R3 like any other: what may no longer be in force needs room again.
    """
    current_w = target.accepted.power_w if target.accepted is not None else evse.safe_power_w
    is_due = target.accepted is not None and now >= renewal_at(site, target.accepted) - RENEW_EARLY
    if not (is_due or target.is_doubtful) or current_w > sums.highest_w(evse.evse_id) + GUARD_W:
        return []
    sums.count(evse.evse_id, max(current_w, sums.powers_w[evse.evse_id]))
    return [_intent(site, evse, target, current_w, now, "repeat" if target.is_doubtful else "renew")]


def _usable_w(power_w: float, evse: EvseSpec) -> float:
    """Return the power as a limit: 0 below the EVSE's minimum, never above its nameplate."""
    capped_w = min(power_w, evse.nameplate_w)
    return capped_w if capped_w >= evse.min_power_w - GUARD_W else 0.0


def _intent(site: SiteSpec, evse: EvseSpec, target: Target, power_w: float, now: datetime, reason: str) -> LimitIntent:
    lease_ends_at = now + site.lease
    return LimitIntent(
        evse_id=evse.evse_id,
        session_id=target.session_id,
        power_w=power_w,
        lease_ends_at=lease_ends_at,
        ends_at=lease_ends_at + evse.lease_slack,
        reason=reason,
        switched_at=_switched_at(target.accepted, power_w, now),
    )


def _switched_at(accepted: LimitEntry | None, power_w: float, now: datetime) -> datetime | None:
    """Return when the session's limit last went from or to zero once this power is in force."""
    if accepted is None:
        return now if power_w == 0 else None
    return now if (accepted.power_w > 0) != (power_w > 0) else accepted.switched_at


def renewal_at(site: SiteSpec, entry: LimitEntry) -> datetime:
    """Return when a lease is renewed: at 40 % of it, ± 10 % so that a site's renewals spread.

    A cycle that runs anyway renews what is due within half a minute, so that a renewal rarely needs one of its own.
    """
    jitter = ((entry.evse_id * 2_654_435_761) % 1000 / 1000 - 0.5) * 2 * JITTER_SHARE
    return entry.intended_at + site.lease * (RENEW_SHARE + jitter)


def _wake_at(
    site: SiteSpec, ledgers: Mapping[int, EvseLedger], targets: Mapping[int, Target], now: datetime, *, blocked: bool
) -> datetime:
    times = [now + LOOK_AGAIN]
    times += [renewal_at(site, target.accepted) for target in targets.values() if target.accepted is not None]
    if blocked:
        release_at = next_release_at(ledgers.values(), now, site.settle)
        times += [] if release_at is None else [release_at]
    return max(min(times), now + SHORTEST_WAKE)
