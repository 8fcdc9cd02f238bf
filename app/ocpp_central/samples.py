"""Sampled values of both dialects, normalised: units, believable numbers, and one register and one power out of many.

Which duplicate counts: periodic samples (or such without a context) before those of a trigger or a transaction's ends,
these before clock-aligned and other ones; in that group the total before the sum of its phases. Every believable
sample is kept for the record all the same.

This is the busiest code of the central: a spelling (everything of a sample but its number) is understood once and
remembered, and one pass over the samples does the rest.
"""

from collections.abc import Sequence
from math import inf, sqrt
from typing import Any, NamedTuple

from app.domain.facts import Sample
from app.ocpp_central.repair import Quantity, as_number

REGISTER = "Energy.Active.Import.Register"
POWER, CURRENT, VOLTAGE = "Power.Active.Import", "Current.Import", "Voltage"
NEVER_NEGATIVE = {REGISTER, POWER}
HIGHEST = 10**10
HIGHEST_POWER_W = 1e6
LARGEST_MULTIPLIER = 9
KILO = {"kwh": "Wh", "kw": "W", "kvarh": "varh", "kvar": "var", "kva": "VA"}
PLAIN = {"wh": "Wh", "w": "W", "varh": "varh", "var": "var", "va": "VA", "a": "A", "v": "V"}
DEFAULT_UNITS = (
    ("Energy.Reactive", "varh"),
    ("Energy.Apparent", "VAh"),
    ("Energy.", "Wh"),
    ("Power.Reactive", "var"),
    ("Power.Factor", ""),
    ("Power.", "W"),
    ("Current.", "A"),
    ("Voltage", "V"),
    ("SoC", "Percent"),
    ("Frequency", "Hz"),
)
RANKS = {"": 0, "Sample.Periodic": 0, "Trigger": 1, "Transaction.Begin": 1, "Transaction.End": 1, "Sample.Clock": 2}
LAST_RANK = 3
ELSEWHERE_RANK = 4
MEANINGS = {(REGISTER, "Wh"): 0, (POWER, "W"): 1, (CURRENT, "A"): 2, (VOLTAGE, "V"): 3}
NO_MEANING = -1
MOST_SPELLINGS_COUNT = 1024
LONGEST_SPELLING_COUNT = 64
PHASE_FAMILIES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"), ("L1-L2", "L2-L3", "L3-L1"))
THREE_CONDUCTORS = 3


class RawSample(NamedTuple):
    """A sampled value as the station spelled it; `multiplier` is OCPP 2.0.1's power of ten."""

    value: Any
    measurand: Any = None
    unit: Any = None
    phase: Any = None
    location: Any = None
    context: Any = None
    multiplier: Any = None


class _Label(NamedTuple):
    """A spelling understood. `factor` leads to the unit, `meaning` is which of the numbers that we need it is."""

    measurand: str
    unit: str
    phase: str
    location: str
    context: str
    factor: float
    lowest: Quantity
    highest: Quantity
    meaning: int
    rank: int


class Reading(NamedTuple):
    """What the samples of one instant say; `doubts` are why some were not believed, `dropped_count` unreadable ones."""

    samples: tuple[Sample, ...]
    register_wh: float | None
    power_w: float | None
    doubts: tuple[str, ...]
    dropped_count: int


Ranked = tuple[int, str, Quantity]  # rank, phase, value


def read(raws: Sequence[RawSample | None]) -> Reading:
    """Return the reading of one instant; None is a sample that is no number on purpose."""
    samples: list[Sample] = []
    doubts: list[str] = []
    dropped_count = 0
    meant: tuple[list[Ranked], ...] = ([], [], [], [])
    for raw in raws:
        if raw is None:
            continue
        number = as_number(raw[0])
        multiplier = raw[6]
        if type(multiplier) is not int:
            multiplier = 0
        if number is None or abs(multiplier) > LARGEST_MULTIPLIER:
            dropped_count += 1
            continue
        measurand, unit, phase, location, context, factor, lowest, highest, meaning, rank = _label(raw[1:6])
        if multiplier:
            number *= 10.0**multiplier
        number *= factor
        if not lowest <= number <= highest:
            doubts.append(f"{measurand} is {'negative' if number < 0 == lowest else 'impossibly large'}")
            continue
        samples.append(Sample(measurand, number, unit, phase, location, context))
        if meaning != NO_MEANING:
            meant[meaning].append((rank, phase, number))
    registers, powers, currents, voltages = meant
    return Reading(
        tuple(samples),
        _total(_counting(registers)),
        _power_w(powers, currents, voltages),
        tuple(doubts),
        dropped_count,
    )


_labels: dict[tuple[Any, ...], _Label] = {}


def _label(spelling: tuple[Any, ...]) -> _Label:
    """Return what a spelling (measurand, unit, phase, location, context) means; some short ones are remembered."""
    try:
        known = _labels.get(spelling)
    except TypeError:  # a list or an object where a text belongs
        return _understood(*spelling)
    if known is not None:
        return known
    label = _understood(*spelling)
    if all(part is None or (isinstance(part, str) and len(part) <= LONGEST_SPELLING_COUNT) for part in spelling):
        if len(_labels) >= MOST_SPELLINGS_COUNT:
            _labels.clear()
        _labels[spelling] = label
    return label


def _understood(measurand: Any, unit: Any, phase: Any, location: Any, context: Any) -> _Label:
    """Return the label in W, Wh, A, V."""
    measurand = _text(measurand, 64) or REGISTER
    unit = _text(unit, 16) or _default_unit(measurand)
    factor = 1000.0 if unit.lower() in KILO else 1.0
    unit = KILO.get(unit.lower(), unit)
    unit = PLAIN.get(unit.lower(), unit)
    highest = HIGHEST_POWER_W if unit == "W" else HIGHEST
    return _Label(
        measurand,
        unit,
        _text(phase, 8),
        _text(location, 16),
        _text(context, 32),
        factor,
        0.0 if measurand in NEVER_NEGATIVE else -highest,
        highest,
        MEANINGS.get((measurand, unit), NO_MEANING),
        _rank(_text(location, 16), _text(context, 32)),
    )


def _text(value: Any, longest_count: int) -> str:
    return value[:longest_count] if isinstance(value, str) else ""


def _default_unit(measurand: str) -> str:
    return next((unit for prefix, unit in DEFAULT_UNITS if measurand.startswith(prefix)), "")


def _rank(location: str, context: str) -> int:
    """Return which sample counts before which: the lower rank; outlet and unknown places before all others."""
    place_rank = 0 if location in {"", "Outlet", "Cable"} else ELSEWHERE_RANK
    return place_rank + RANKS.get(context, LAST_RANK)


def _counting(ranked: Sequence[Ranked]) -> dict[str, Quantity]:
    """Return by phase the values of the best rank, the first of several alike."""
    values: dict[str, Quantity] = {}
    best: float = inf
    for rank, phase, value in ranked:
        if rank < best:
            best, values = rank, {phase: value}
        elif rank == best:
            values.setdefault(phase, value)
    return values


def _total(values: dict[str, Quantity]) -> Quantity | None:
    if not values or "" in values:
        return values.get("")
    for family in PHASE_FAMILIES:
        found = [values[phase] for phase in family if phase in values]
        if found:
            return sum(found)
    return None


def register_wh_of(samples: Sequence[Sample]) -> float | None:
    """Return the import register in Wh, phases summed; None without one."""
    registers = [each for each in samples if each.measurand == REGISTER and each.unit == "Wh"]
    return _total(_counting([(_rank(each.location, each.context), each.phase, each.value) for each in registers]))


def _power_w(powers: Sequence[Ranked], currents: Sequence[Ranked], voltages: Sequence[Ranked]) -> float | None:
    """Return the active import power in W; from currents and voltages where it is not metered; None without either."""
    metered_w = _total(_counting(powers))
    if metered_w is not None or not currents or not voltages:
        return metered_w
    derived_w = _derived_w(_counting(currents), _counting(voltages))
    return derived_w if derived_w is not None and 0 <= derived_w <= HIGHEST_POWER_W else None


def _derived_w(currents_a: dict[str, float], voltages_v: dict[str, float]) -> float | None:
    """Return Σ I·V over the conductors; the one current between two lines of a single-phase supply counts once."""
    mean_v = sum(voltages_v.values()) / len(voltages_v)
    lines = next((each for family in PHASE_FAMILIES[:2] if (each := _lines(currents_a, family))), {})
    if not lines:
        return currents_a[""] * mean_v if "" in currents_a else None
    if any(phase in voltages_v for phase in PHASE_FAMILIES[2]):
        if len(lines) == THREE_CONDUCTORS:
            return sum(lines.values()) * mean_v / sqrt(3)
        return max(lines.values()) * mean_v
    return sum(
        current_a * voltages_v.get(f"{line}-N", voltages_v.get(line, mean_v)) for line, current_a in lines.items()
    )


def _lines(currents_a: dict[str, float], family: tuple[str, ...]) -> dict[str, float]:
    return {phase[:2]: currents_a[phase] for phase in family if phase in currents_a}
