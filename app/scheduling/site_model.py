"""What is wrong with the description of a site: errors that name the node and say what to change, and warnings.

Only what the numbers cannot mean is checked here; whether the safe currents fit is `app.scheduling.burdens`'s.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial

from app.domain.electrical import EvsePlace, Flaw, SiteModel
from app.domain.snapshot import SiteSpec
from app.domain.units import current_a, kw_from_w, power_w
from app.domain.wiring import Conductor, Feeder, Wiring
from app.scheduling.feeders import path

MOST_FEEDERS_COUNT = 500
MOST_EVSES_COUNT = 1500
DEEPEST_COUNT = 16
ROUNDING_SHARE = 1e-9
TOLD_COUNT = 8


def flaws_of(model: SiteModel) -> tuple[Flaw, ...]:
    """Return everything that is wrong or doubtful, errors first. Where the tree itself is broken, only that."""
    feeders = {feeder.feeder_id: feeder for feeder in model.site.feeders}
    found = [*_names(model), *_parents(model.site.feeders, feeders)]
    if not found:
        found = [*_root(model), *_ratings(model.site, feeders), *_reserves(model.site, feeders)]
        found += _places(model, feeders)
    return tuple(sorted(found, key=lambda flaw: flaw.is_warning))


def _names(model: SiteModel) -> Iterator[Flaw]:
    if len(model.site.feeders) > MOST_FEEDERS_COUNT:
        yield Flaw(f"has {len(model.site.feeders)} feeders; at most {MOST_FEEDERS_COUNT} are possible")
    if len(model.places) > MOST_EVSES_COUNT:
        yield Flaw(f"has {len(model.places)} EVSEs; at most {MOST_EVSES_COUNT} are possible", "stations")
    names: dict[str, str] = {}
    for feeder in model.site.feeders:
        name = feeder.feeder_id
        other = names.setdefault(name.casefold(), name)
        if other is not name:
            same = "is there twice" if other == name else f"differs from {other} only in its capitals"
            yield Flaw(f"{same}; give every feeder a name of its own", feeder_id=name)
    numbers = set[tuple[str, int]]()
    for place in model.places:
        if (place.station_id, place.evse_number) in numbers:
            yield _of(place)("is there twice")
        numbers.add((place.station_id, place.evse_number))


def _parents(listed: Iterable[Feeder], feeders: Mapping[str, Feeder]) -> Iterator[Flaw]:
    """Every way up must end at the site."""
    is_told = set[str]()
    for feeder in listed:
        chain: list[str] = []
        above: str | None = feeder.feeder_id
        while above is not None and above in feeders and above not in chain:
            chain.append(above)
            above = feeders[above].parent_id
        if feeder.parent_id is not None and feeder.parent_id not in feeders:
            reason = f"hangs at {feeder.parent_id!r}, which is no feeder of the site{_meant(feeder.parent_id, feeders)}"
            yield Flaw(reason, "parent", feeder.feeder_id)
        elif above in chain:
            circle = chain[chain.index(above) :]
            if not is_told & set(circle):
                shown = circle if len(circle) <= TOLD_COUNT else [*circle[:TOLD_COUNT], "…"]
                way = " → ".join([*shown, circle[0]])
                yield Flaw(f"feeds itself ({way}); one of them must hang at the site", "parent", above)
            is_told |= set(chain)
        elif len(chain) > DEEPEST_COUNT:
            yield Flaw(f"hangs {len(chain)} levels below the site; at most {DEEPEST_COUNT}", "parent", feeder.feeder_id)


def _meant(name: str, feeders: Mapping[str, Feeder]) -> str:
    close = get_close_matches(name, list(feeders), n=1)
    return f"; is {close[0]!r} meant?" if close else "; give the feeder, or leave it out to hang at the site"


def _root(model: SiteModel) -> Iterator[Flaw]:
    site = model.site
    if site.margin_w + site.reserve_w >= site.limit_w:
        yield Flaw("margin_kw and reserve_kw together must be less than limit_kw", "limit_kw")
    if 0 < model.safe_current_a < model.min_current_a:
        least = f"{model.min_current_a:g} A"
        yield Flaw(f"a car takes 0 A or at least min_current_a ({least}): 0, or {least} and more", "safe_current_a")
    kinds = {len(place.wiring.conductors) for place in model.places if place.phase_count == 1}
    if {1, 2} <= kinds:
        told = f"holds for EVSEs between two line conductors and for those at the neutral alike ({site.voltage_v:g} V):"
        yield Flaw(f"{told} limits in W would not bound the current of those at less", "voltage_v", is_warning=True)
    if site.demand_target_w is not None and site.demand_target_w > site.limit_w:
        yield Flaw("is above limit_kw: the connection limits first", "demand_target_kw", is_warning=True)
    if site.demand_target_w is not None and site.demand_target_w <= site.reserve_w:
        told = f"is not above reserve_kw ({kw_from_w(site.reserve_w):g} kW): without readings no car gets more than"
        yield Flaw(
            f"{told} its safe current, and with them only what the building leaves", "demand_target_kw", is_warning=True
        )
    if site.reserve_w == 0 and any(feeder.reserve_a > 0 for feeder in site.feeders):
        yield Flaw(
            "is 0 although feeders reserve current for uncontrolled load: say how many kW it draws at the connection",
            "reserve_kw",
            is_warning=True,
        )


def _ratings(site: SiteSpec, feeders: Mapping[str, Feeder]) -> Iterator[Flaw]:
    for feeder in site.feeders:
        flaw = partial(Flaw, feeder_id=feeder.feeder_id)
        if feeder.rating_a is None and feeder.limit_w is None:
            yield flaw("is missing, and limit_kw too: say what its breaker, cable or transformer bears", "rating_a")
        yield from _unit(feeder, "a", feeder.rating_a, feeder.margin_a, feeder.reserve_a, feeder.rise_a)
        yield from _unit(feeder, "kw", feeder.limit_w, feeder.margin_w, feeder.reserve_w, feeder.rise_w)
        above = [each for each in path(feeder.parent_id, feeders) if each.rating_a is not None]
        if feeder.rating_a is not None and above and feeder.rating_a > (above[0].rating_a or 0.0):
            told = f"is above the {above[0].rating_a:g} A of {above[0].feeder_id}, which feeds it"
            yield flaw(told, "rating_a", is_warning=True)
        name, limit_w = _limit_above(site, feeder, feeders)
        if feeder.limit_w is not None and feeder.limit_w > limit_w:
            yield flaw(f"is above the {kw_from_w(limit_w):g} kW of {name}, which feeds it", "limit_kw", is_warning=True)


def _unit(
    feeder: Feeder, unit: str, rating: float | None, margin: float, reserve: float, rise: float | None
) -> Iterator[Flaw]:
    """Check one unit's numbers of a feeder; kW are told as such, and given in W."""
    flaw = partial(Flaw, feeder_id=feeder.feeder_id)
    of_rating = "rating_a" if unit == "a" else "limit_kw"
    if rating is None:
        for name, value in (("margin", margin), ("reserve", reserve), ("load_rise", rise)):
            if value:
                yield flaw(f"means nothing without {of_rating}: give that too, or leave this out", f"{name}_{unit}")
    elif margin + reserve >= rating:
        yield flaw(f"margin_{unit} and reserve_{unit} together must be less than {of_rating}", of_rating)


def _limit_above(site: SiteSpec, feeder: Feeder, feeders: Mapping[str, Feeder]) -> tuple[str, float]:
    for above in path(feeder.parent_id, feeders):
        if above.limit_w is not None:
            return above.feeder_id, above.limit_w
    return "the site", site.limit_w


def _reserves(site: SiteSpec, feeders: Mapping[str, Feeder]) -> Iterator[Flaw]:
    """A reserve is for all uncontrolled load through a node, its children's included."""
    below_w, below_a = dict[str | None, float](), dict[str, float]()
    for feeder in site.feeders:
        above = tuple(path(feeder.parent_id, feeders))
        if feeder.limit_w is not None:
            name = next((each.feeder_id for each in above if each.limit_w is not None), None)
            below_w[name] = below_w.get(name, 0.0) + feeder.reserve_w
        rated = next((each.feeder_id for each in above if each.rating_a is not None), None)
        if feeder.rating_a is not None and rated is not None:
            below_a[rated] = below_a.get(rated, 0.0) + feeder.reserve_a
    for node, sum_w in below_w.items():
        own_w = site.reserve_w if node is None else feeders[node].reserve_w
        if _is_more(sum_w, own_w):
            told = f"the feeders below reserve {kw_from_w(sum_w):g} kW together, this node {kw_from_w(own_w):g} kW"
            yield Flaw(f"{told}: its reserve must hold theirs too", "reserve_kw", node)
    for name, sum_a in below_a.items():
        own_a = feeders[name].reserve_a
        if _is_more(sum_a, own_a):
            told = f"the feeders below reserve {sum_a:g} A together, this one {own_a:g} A"
            yield Flaw(f"{told}: its reserve must hold theirs too", "reserve_a", name)


def _is_more(value: float, than: float) -> bool:
    return value > than * (1 + ROUNDING_SHARE) + ROUNDING_SHARE


def _of(place: EvsePlace) -> "partial[Flaw]":
    return partial(Flaw, station_id=place.station_id, evse_number=place.evse_number)


def _places(model: SiteModel, feeders: Mapping[str, Feeder]) -> Iterator[Flaw]:
    for place in model.places:
        flaw = _of(place)
        if place.feeder_id is not None and place.feeder_id not in feeders:
            told = f"hangs at {place.feeder_id!r}, which is no feeder of the site{_meant(place.feeder_id, feeders)}"
            yield flaw(told, "feeder")
        else:
            yield from _nameplate(model.site, place, feeders)
        if place.wiring is not Wiring.UNKNOWN and (len(place.wiring.conductors) == len(Conductor)) != (
            place.phase_count == len(Conductor)
        ):
            yield flaw(
                f"{place.wiring} contradicts phase_count {place.phase_count}: L1-L2-L3 has 3 phases, the others 1",
                "wiring",
            )
        if place.is_dc and place.min_current_a is None:
            yield flaw("a DC connector has a minimum of its own: give it, as current at its AC side", "min_current_a")
        least_a = model.min_current_a if place.min_current_a is None else place.min_current_a
        if least_a > place.max_current_a:
            yield flaw(f"is above max_current_a ({place.max_current_a:g} A)", "min_current_a")


def _nameplate(site: SiteSpec, place: EvsePlace, feeders: Mapping[str, Feeder]) -> Iterator[Flaw]:
    """No breaker may be smaller than a single EVSE behind it."""
    flaw = _of(place)
    nameplate_w = power_w(place.max_current_a, site.voltage_v, place.phase_count)
    for feeder in path(place.feeder_id, feeders):
        if feeder.rating_a is not None and place.max_current_a > feeder.rating_a:
            told = f"{place.max_current_a:g} A is above the rating of {feeder.feeder_id} ({feeder.rating_a:g} A)"
            yield flaw(f"{told}: set the EVSE lower, or correct the rating", "max_current_a")
        if feeder.limit_w is not None and nameplate_w > feeder.limit_w:
            most_a = current_a(feeder.limit_w, site.voltage_v, place.phase_count)
            told = f"{kw_from_w(nameplate_w):g} kW is above the limit of {feeder.feeder_id}"
            yield flaw(f"{told} ({kw_from_w(feeder.limit_w):g} kW, {most_a:.1f} A)", "max_current_a")
    if nameplate_w > site.limit_w:
        told = f"{kw_from_w(nameplate_w):g} kW is above the site's {kw_from_w(site.limit_w):g} kW"
        yield flaw(told, "max_current_a", is_warning=True)
