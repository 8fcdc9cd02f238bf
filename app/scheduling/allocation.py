"""The allocator: which limits may be sent now so that INV-1 holds whatever is lost, late or dead.

Lowering never needs headroom and comes first; raising needs `available − Σ u_j` of all other EVSEs, where every entry
counts from the moment it is intended (design: site limit, rules R1–R6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.limits import EvseLedger, LimitEntry, LimitIntent
from app.domain.snapshot import EvseSpec, SiteSpec
from app.scheduling.ledger import LEASE_SLACK, base_w, next_release_at, possible_w

RENEW_SHARE = 0.4
JITTER_SHARE = 0.1
DEAD_BAND_SHARE = 0.02
LOOK_AGAIN = timedelta(seconds=60)
SHORTEST_WAKE = timedelta(seconds=5)
RENEW_EARLY = timedelta(seconds=30)
LOST_WEIGHT_W = 1e-6


@dataclass(frozen=True, slots=True)
class Target:
    """What the plan wants at an EVSE with a session, and the limit it accepted last.

    `accepted` is the newest accepted entry whose lease still runs (None: only the default holds); `in_flight` says that
    a newer intent waits for its outcome.
    """

    evse_id: int
    session_id: str
    target_w: float
    accepted: LimitEntry | None
    in_flight: bool


@dataclass(frozen=True, slots=True)
class Allocation:
    """Intents to write and send, and when to look again at the latest."""

    intents: tuple[LimitIntent, ...]
    wake_at: datetime


def allocate(
    site: SiteSpec,
    evses: Sequence[EvseSpec],
    ledgers: Mapping[int, EvseLedger],
    targets: Mapping[int, Target],
    now: datetime,
) -> Allocation:
    """Decide what to send now. Deterministic; sends nothing to EVSEs that are not ready, or mid-call."""
    possible = {evse.evse_id: possible_w(ledgers[evse.evse_id], now, site.settle) for evse in evses}
    intents: list[LimitIntent] = []
    raises: list[tuple[float, EvseSpec, float, float]] = []
    blocked = False
    for evse in sorted(evses, key=lambda each: each.evse_id):
        target = targets.get(evse.evse_id)
        if target is None or target.in_flight or not evse.is_ready or ledgers[evse.evse_id].default_w is None:
            continue
        wanted_w = _usable_w(target.target_w, evse)
        current_w = base_w(ledgers[evse.evse_id]) if target.accepted is None else target.accepted.power_w
        dead_band_w = 0.0 if target.accepted is None else DEAD_BAND_SHARE * evse.nameplate_w
        if wanted_w < current_w - dead_band_w or (wanted_w == 0.0 < current_w):
            intents.append(_intent(site, target, wanted_w, now, "lower"))
        elif wanted_w > current_w + dead_band_w:
            raises.append((wanted_w - current_w, evse, wanted_w, current_w + dead_band_w))
        elif target.accepted is not None and now >= renewal_at(site, target.accepted) - RENEW_EARLY:
            intents.append(_intent(site, target, current_w, now, "renew"))
    for _, evse, wanted_w, least_w in sorted(raises, key=lambda each: (-each[0], each[1].evse_id)):
        target = targets[evse.evse_id]
        room_w = site.available_w - sum(power_w for each, power_w in possible.items() if each != evse.evse_id)
        granted_w = _usable_w(min(wanted_w, max(room_w, possible[evse.evse_id])), evse)
        blocked = blocked or granted_w < wanted_w
        if granted_w > least_w:
            intents.append(_intent(site, target, granted_w, now, "raise"))
            possible[evse.evse_id] = max(possible[evse.evse_id], granted_w)
        elif target.accepted is not None and now >= renewal_at(site, target.accepted) - RENEW_EARLY:
            intents.append(_intent(site, target, target.accepted.power_w, now, "renew"))
    return Allocation(tuple(intents), _wake_at(site, ledgers, targets, now, blocked=blocked))


def _usable_w(power_w: float, evse: EvseSpec) -> float:
    """Return the power as a limit: 0 below the EVSE's minimum, never above its nameplate."""
    capped_w = min(power_w, evse.nameplate_w)
    return capped_w if capped_w >= evse.min_power_w - LOST_WEIGHT_W else 0.0


def _intent(site: SiteSpec, target: Target, power_w: float, now: datetime, reason: str) -> LimitIntent:
    return LimitIntent(target.evse_id, target.session_id, power_w, now + site.lease + LEASE_SLACK, reason)


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
