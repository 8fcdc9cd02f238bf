"""One cycle of the limit loop as a pure step: the books, the plan and the meters in, intents out.

The plan's lines are followed by the measured sun (`following`), what is wanted is brought together with what the books
say of it (`orders`), and what may be sent now is decided (`allocation`). Everything is about n log n in a site's EVSEs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from app.domain.limits import EvseLedger, LimitEntry, LimitIntent
from app.domain.snapshot import EvseSpec, SiteSpec
from app.scheduling.allocation import allocate
from app.scheduling.feeders import Grid
from app.scheduling.following import Line, Room, Sun, claims_of, floors_w, follow
from app.scheduling.ledger import open_entries, possible_w
from app.scheduling.obedience import Judgement, look_at, nudged
from app.scheduling.orders import Wanted, aims, ledgers_of, settled_at

NOBODY: Mapping[int, Judgement] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Books:
    """What may be in force at a site now: its open entries, per EVSE as ledgers, and the highest of each (u_i)."""

    site: SiteSpec
    evses: Sequence[EvseSpec]
    entries: Sequence[LimitEntry]
    ledgers: Mapping[int, EvseLedger]
    possible_w: Mapping[int, float]
    now: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What a cycle decides: intents to write and send, entries that can be closed, when to look again at the latest."""

    intents: tuple[LimitIntent, ...]
    closed: tuple[int, ...]
    wake_at: datetime


def open_books(site: SiteSpec, evses: Sequence[EvseSpec], entries: Sequence[LimitEntry], now: datetime) -> Books:
    """Return the books as they are now, from all of the site's open entries."""
    ledgers = ledgers_of(evses, entries, now, site.settle)
    possible = {evse_id: possible_w(ledger, now, site.settle) for evse_id, ledger in ledgers.items()}
    return Books(site, evses, entries, ledgers, possible, now)


def decide(
    books: Books,
    lines: Sequence[Line],
    newest: Mapping[str, LimitEntry],
    sun: Sun,
    grid: Grid,
    cap_w: float | None = None,
    judgements: Mapping[int, Judgement] = NOBODY,
) -> Decision:
    """Return what is to be done now for the plan's lines (of running sessions).

    `newest` is the entry intended last of each session, `grid` the rows with what uncontrolled load is counted with,
    `cap_w` the most that all sessions together may be allowed (None: no such cap). `judgements` are of EVSEs that may
    not do what they are told (`obedience`): what helps them along goes through the allocator too.
    """
    site, now = books.site, books.now
    claims = claims_of(lines, books.evses, books.entries, newest, now)
    room = Room(grid, floors_w(books.ledgers, books.possible_w, claims), float("inf") if cap_w is None else cap_w)
    targets_w = follow(claims, room, sun, now)
    wanted = [Wanted(each.evse_id, each.session_id, targets_w[each.evse_id]) for each in claims]
    aimed = aims(wanted, books.entries, newest, now)
    targets = nudged(aimed.targets, judgements, {evse.evse_id: evse.min_power_w for evse in books.evses}, now)
    allocation = allocate(site, books.evses, books.ledgers, targets, grid, now)
    still_open = {each.order_no for one in books.ledgers.values() for each in open_entries(one, now, site.settle)}
    looking = [at for judged in judgements.values() if (at := look_at(judged, now)) is not None]
    settling = [at for evse in books.evses if (at := settled_at(evse, site.settle)) is not None and at > now]
    return Decision(
        intents=allocation.intents,
        closed=tuple(entry.order_no for entry in books.entries if entry.order_no not in still_open),
        wake_at=min([allocation.wake_at, *aimed.retry_at, *settling, *looking]),
    )
