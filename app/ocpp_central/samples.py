"""Sampled values of both dialects, normalised: units, believable numbers, and one register and one power out of many.

Which duplicate counts: periodic samples (or such without a context) before those of a trigger or a transaction's ends,
these before clock-aligned and other ones; in that group the total before the sum of its phases. Every believable sample is
kept for the record all the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from app.domain.facts import Sample
from app.ocpp_central.repair import as_number

REGISTER = "Energy.Active.Import.Register"
POWER, CURRENT, VOLTAGE = "Power.Active.Import", "Current.Import", "Voltage"
NEVER_NEGATIVE = {REGISTER, POWER}
HIGHEST = 1e10
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
PHASE_FAMILIES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"), ("L1-L2", "L2-L3", "L3-L1"))
TWO_CONDUCTORS, THREE_CONDUCTORS = 2, 3


@dataclass(frozen=True, slots=True)
class RawSample:
    """A sampled value as the station spelled it; `multiplier` is OCPP 2.0.1's power of ten."""

    value: Any
    measurand: Any = None
    unit: Any = None
    phase: Any = None
    location: Any = None
    context: Any = None
    multiplier: Any = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the samples of one instant say; `doubts` are why samples were not believed, `dropped_count` unreadable ones."""

    samples: tuple[Sample, ...]
    register_wh: float | None
    power_w: float | None
    doubts: tuple[str, ...]
    dropped_count: int


def read(raws: Sequence[RawSample]) -> Reading:
    """Return the reading of one instant."""
    samples: list[Sample] = []
    doubts: list[str] = []
    dropped_count = 0
    for raw in raws:
        sample = _normalise(raw)
        if sample is None:
            dropped_count += 1
        elif doubt := _doubt(sample):
            doubts.append(doubt)
        else:
            samples.append(sample)
    return Reading(tuple(samples), register_of(samples), power_of(samples), tuple(doubts), dropped_count)


def _text(value: Any, longest_count: int) -> str:
    return value[:longest_count] if isinstance(value, str) else ""


def _normalise(raw: RawSample) -> Sample | None:
    """Return the sample in W, Wh, A, V; None where there is no finite number."""
    number = as_number(raw.value)
    if number is None:
        return None
    multiplier = raw.multiplier if type(raw.multiplier) is int else 0
    if abs(multiplier) > LARGEST_MULTIPLIER:
        return None
    measurand = _text(raw.measurand, 64) or REGISTER
    unit = _text(raw.unit, 16) or _default_unit(measurand)
    number *= 10.0**multiplier
    if unit.lower() in KILO:
        number, unit = number * 1000, KILO[unit.lower()]
    unit = PLAIN.get(unit.lower(), unit)
    return Sample(measurand, number, unit, _text(raw.phase, 8), _text(raw.location, 16), _text(raw.context, 32))


def _default_unit(measurand: str) -> str:
    return next((unit for prefix, unit in DEFAULT_UNITS if measurand.startswith(prefix)), "")


def _doubt(sample: Sample) -> str:
    if sample.value < 0 and sample.measurand in NEVER_NEGATIVE:
        return f"{sample.measurand} is negative"
    highest = HIGHEST_POWER_W if sample.unit == "W" else HIGHEST
    return f"{sample.measurand} is impossibly large" if abs(sample.value) > highest else ""


def _of(samples: Sequence[Sample], measurand: str, unit: str) -> list[Sample]:
    """Return the samples of a measurand from the group of contexts that counts, outlet and unknown places first."""
    found = [each for each in samples if each.measurand == measurand and each.unit == unit]
    if not found:
        return []
    best = min(_rank(each) for each in found)
    return [each for each in found if _rank(each) == best]


def _rank(sample: Sample) -> tuple[bool, int]:
    return sample.location not in {"", "Outlet", "Cable"}, RANKS.get(sample.context, LAST_RANK)


def _by_phase(samples: Sequence[Sample]) -> dict[str, float]:  # phase → value in the samples' unit
    values: dict[str, float] = {}  # the first of several alike
    for sample in samples:
        values.setdefault(sample.phase, sample.value)
    return values


def _total(samples: Sequence[Sample], combine: Callable[[list[float]], float] = sum) -> float | None:
    values = _by_phase(samples)
    if "" in values:
        return values[""]
    for family in PHASE_FAMILIES:
        found = [values[phase] for phase in family if phase in values]
        if found:
            return combine(found)
    return None


def register_of(samples: Sequence[Sample]) -> float | None:
    """Return the import register in Wh, phases summed; None without one."""
    return _total(_of(samples, REGISTER, "Wh"))


def power_of(samples: Sequence[Sample]) -> float | None:
    """Return the active import power in W; from currents and voltages where it is not metered; None without either."""
    metered_w = _total(_of(samples, POWER, "W"))
    if metered_w is not None:
        return metered_w
    currents = _by_phase(_of(samples, CURRENT, "A"))
    voltages = _by_phase(_of(samples, VOLTAGE, "V"))
    if not currents or not voltages:
        return None
    derived_w = _derived(currents, voltages)
    return derived_w if derived_w is not None and 0 <= derived_w <= HIGHEST_POWER_W else None


def _derived(currents: dict[str, float], voltages: dict[str, float]) -> float | None:
    """Return Σ I·V over the conductors. Between two lines of a single-phase supply one current flows twice, counted once."""
    lines_a = [currents[phase] for family in PHASE_FAMILIES[:2] for phase in family if phase in currents]
    mean_v = sum(voltages.values()) / len(voltages)
    if not lines_a:
        return currents[""] * mean_v if "" in currents else None
    if any(phase in voltages for phase in PHASE_FAMILIES[2]):
        if len(lines_a) == THREE_CONDUCTORS:
            return sum(lines_a) * mean_v / sqrt(3)
        return max(lines_a) * mean_v
    return sum(
        current_a * voltages.get(f"{phase[:2]}-N", voltages.get(phase[:2], mean_v))
        for phase, current_a in currents.items()
        if phase[:2] in PHASE_FAMILIES[0]
    )
