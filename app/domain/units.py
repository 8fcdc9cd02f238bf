"""The only place where units are converted: inside W, Wh, A, V; at the API kW and kWh."""

from datetime import timedelta


def kw_from_w(power_w: float) -> float:
    """Return kilowatts, rounded to a watt."""
    return round(power_w / 1000, 3)


def w_from_kw(power_kw: float) -> float:
    """Return watts."""
    return power_kw * 1000


def kwh_from_wh(energy_wh: float) -> float:
    """Return kilowatt-hours, rounded to a watt-hour."""
    return round(energy_wh / 1000, 3)


def wh_from_kwh(energy_kwh: float) -> float:
    """Return watt-hours."""
    return energy_kwh * 1000


def energy_wh(power_w: float, span: timedelta) -> float:
    """Return the energy of a constant power over a span."""
    return power_w * span.total_seconds() / 3600


def mean_power_w(energy_wh: float, span: timedelta) -> float:
    """Return the constant power that gives this energy over a span longer than zero."""
    return energy_wh * 3600 / span.total_seconds()


def power_w(current_a: float, voltage_v: float, phase_count: int) -> float:
    """Return the power of a current on each of `phase_count` conductors against `voltage_v`."""
    return current_a * voltage_v * phase_count


def current_a(power_w: float, voltage_v: float, phase_count: int) -> float:
    """Return the current on each of `phase_count` conductors that carries this power."""
    return power_w / (voltage_v * phase_count)


def energy_for_range_wh(range_km: float, consumption_wh_per_km: float) -> float:
    """Return the energy a car needs to drive a distance."""
    return range_km * consumption_wh_per_km
