"""The plain way to read samples, one rule after the other: what `app.ocpp_central.samples` has to agree with."""

import math
from collections.abc import Sequence
from math import sqrt
from typing import Any

from app.domain.facts import Sample
from app.ocpp_central.repair import LONGEST_NUMBER_COUNT, Quantity
from app.ocpp_central.samples import RawSample, Reading

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
PHASE_FAMILIES = (("L1", "L2", "L3"), ("L1-N", "L2-N", "L3-N"), ("L1-L2", "L2-L3", "L3-L1"))
THREE_CONDUCTORS = 3


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
    return Reading(tuple(samples), register_wh_of(samples), power_w_of(samples), tuple(doubts), dropped_count)


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


def as_number(value: Any) -> Quantity | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        text = value.strip()
        if len(text) > LONGEST_NUMBER_COUNT or "_" in text:
            return None
        value = text.replace(",", ".", 1) if "." not in text else text
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


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


def _by_phase(samples: Sequence[Sample]) -> dict[str, Quantity]:
    """Return values by phase, the first of several alike."""
    values: dict[str, Quantity] = {}
    for sample in samples:
        values.setdefault(sample.phase, sample.value)
    return values


def _total(samples: Sequence[Sample]) -> Quantity | None:
    values = _by_phase(samples)
    if "" in values:
        return values[""]
    for family in PHASE_FAMILIES:
        found = [values[phase] for phase in family if phase in values]
        if found:
            return sum(found)
    return None


def register_wh_of(samples: Sequence[Sample]) -> float | None:
    """Return the import register in Wh, phases summed; None without one."""
    return _total(_of(samples, REGISTER, "Wh"))


def power_w_of(samples: Sequence[Sample]) -> float | None:
    """Return the active import power in W; from currents and voltages where it is not metered; None without either."""
    metered_w = _total(_of(samples, POWER, "W"))
    if metered_w is not None:
        return metered_w
    currents_a = _by_phase(_of(samples, CURRENT, "A"))
    voltages_v = _by_phase(_of(samples, VOLTAGE, "V"))
    if not currents_a or not voltages_v:
        return None
    derived_w = _derived_w(currents_a, voltages_v)
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
