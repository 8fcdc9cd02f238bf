"""What the day amounted to: the figures, the verdicts that decide the exit code, and the table."""

from datetime import datetime, timedelta
from typing import Any

from rich.table import Table

from app.backtest.foresight import ForesightCar, fillable_wh, perfect_foresight
from app.domain.units import kw_from_w, kwh_from_wh

FORESIGHT_STEP = timedelta(minutes=5)
LEAST_OF_FORESIGHT = 0.97
FILL_TOLERANCE_WH = 500.0


def foresight_cars(prepared: dict[str, Any], sessions: list[dict[str, Any]]) -> list[ForesightCar]:
    """Return the cars of these sessions with their real plug-in times, as the optimiser wants them."""
    commuters = {commuter["commuter_id"]: commuter for commuter in prepared["commuters"]}
    return [
        ForesightCar(
            arrives_at=datetime.fromisoformat(session["arrived_at"]),
            leaves_at=datetime.fromisoformat(session["left_at"]),
            need_wh=session["requested_wh"],
            max_power_w=_power_w(prepared, commuters[session["commuter_id"]]),
            taper=tuple((line[0], line[1]) for line in commuters[session["commuter_id"]]["taper"]),
        )
        for session in sessions
    ]


def _power_w(prepared: dict[str, Any], commuter: dict[str, Any]) -> float:
    station = next(each for each in prepared["stations"] if each["station_id"] == commuter["station_id"])
    nameplate_w: float = station["max_current_a"] * station["phase_count"] * prepared["voltage_v"]
    return float(min(nameplate_w, commuter["max_power_w"]))


def surplus_by_step(prepared: dict[str, Any], starts_at: datetime, ends_at: datetime) -> list[float]:
    """Return the surplus in W of every foresight step between two times."""
    sun = prepared["sun"]
    first_at = datetime.fromisoformat(sun["starts_at"])
    powers: list[float] = []
    at = starts_at
    while at < ends_at:
        slot = int((at - first_at).total_seconds() // sun["step_s"])
        powers.append(max(0.0, sun["pv_w"][slot] - sun["building_w"][slot]))
        at += FORESIGHT_STEP
    return powers


def figures(prepared: dict[str, Any], report: dict[str, Any], limit_w: float) -> dict[str, Any]:
    """Return the day's JSON: energy, shares, limits and messages as the simulators counted them."""
    starts_at, ends_at = datetime.fromisoformat(prepared["starts_at"]), datetime.fromisoformat(prepared["ends_at"])
    cars = foresight_cars(prepared, report["sessions"])
    surplus_w = surplus_by_step(prepared, starts_at, ends_at)
    ideal = perfect_foresight(cars, surplus_w, starts_at=starts_at, step=FORESIGHT_STEP, limit_w=limit_w)
    fillable = fillable_wh(cars, starts_at=starts_at, step=FORESIGHT_STEP, steps=len(surplus_w), limit_w=limit_w)
    left_unfilled = [
        {**session, "fillable_wh": round(could_wh)}
        for session, could_wh in zip(report["sessions"], fillable, strict=True)
        if _stayed(session) and session["delivered_wh"] < could_wh - FILL_TOLERANCE_WH
    ]
    stayers = [session for session in report["sessions"] if _stayed(session)]
    free = report["uncontrolled"]
    return {
        "day": prepared["day"],
        "attendance_share": prepared["attendance_share"],
        "sessions": len(report["sessions"]),
        "energy_requested_kwh": kwh_from_wh(report["energy_requested_wh"]),
        "energy_delivered_kwh": kwh_from_wh(report["energy_delivered_wh"]),
        "departures_met_share": round(1 - len(left_unfilled) / max(1, len(stayers)), 4),
        "departures_missed": left_unfilled,
        "solar_kwh": kwh_from_wh(report["solar_wh"]),
        "grid_kwh": kwh_from_wh(report["grid_wh"]),
        "solar_share": _share(report["solar_wh"], report["energy_delivered_wh"]),
        "uncontrolled_solar_share": _share(free["solar_wh"], free["delivered_wh"]),
        "uncontrolled_peak_site_kw": kw_from_w(free["peak_site_w"]),
        "uncontrolled_delivered_kwh": kwh_from_wh(free["delivered_wh"]),
        "uncontrolled_minutes_over_limit": free["minutes_over_limit"],
        "perfect_foresight_solar_share": _share(ideal.solar_wh, ideal.delivered_wh),
        "perfect_foresight_delivered_kwh": kwh_from_wh(ideal.delivered_wh),
        "peak_site_kw": kw_from_w(report["peak_site_w"]),
        "site_limit_kw": kw_from_w(limit_w),
        "minutes_at_limit": report["minutes_at_limit"],
        "limit_violations": report["limit_violations"],
        "limits_received": report["limits_received"],
        "limits_accepted": report["limits_accepted"],
        "bookings": report["bookings"],
        "intents": report["intents"],
        "outages": report["outages"],
        "messages_sent": report["messages_sent"],
        "messages_acked": report["messages_acked"],
        "messages_lost": report["messages_lost"],
    }


def _stayed(session: dict[str, Any]) -> bool:
    return datetime.fromisoformat(session["left_at"]) >= datetime.fromisoformat(session["declared_at"])


def _share(part_wh: float, whole_wh: float) -> float:
    return round(part_wh / whole_wh, 4) if whole_wh > 0 else 0.0


def verdicts(day: dict[str, Any]) -> list[str]:
    """Return what went wrong, one line each; an empty list is a perfect day."""
    wrong: list[str] = []
    least = LEAST_OF_FORESIGHT * day["perfect_foresight_solar_share"]
    if day["sessions"] == 0:
        wrong.append("nobody charged")
    if day["solar_share"] < least:
        wrong.append(f"solar share {day['solar_share']:.4f} is below 0.97 × perfect foresight ({least:.4f})")
    wrong += [
        f"{missed['commuter_id']} left with {missed['delivered_wh']:.0f} Wh of {missed['fillable_wh']:.0f}"
        for missed in day["departures_missed"]
    ]
    if day["limit_violations"]:
        wrong.append(f"the site limit was broken {day['limit_violations']} times")
    if day["messages_lost"]:
        wrong.append(f"{day['messages_lost']} messages were lost")
    wrong += [f"truth: {line}" for line in day["truth_differences"]]
    return wrong


def table(day: dict[str, Any]) -> Table:
    """Return the closing table: this day against charging at once and against perfect foresight."""
    shown = Table(title=f"{day['day']}: {day['sessions']} sessions on {day['stations']} stations", title_justify="left")
    shown.add_column("")
    for head in ("Sunslot", "everybody at once", "perfect foresight"):
        shown.add_column(head, justify="right")
    shown.add_row(
        "solar share of the energy",
        f"{day['solar_share']:.1%}",
        f"{day['uncontrolled_solar_share']:.1%}",
        f"{day['perfect_foresight_solar_share']:.1%}",
    )
    shown.add_row(
        "delivered, kWh",
        f"{day['energy_delivered_kwh']:.1f}",
        f"{day['uncontrolled_delivered_kwh']:.1f}",
        f"{day['perfect_foresight_delivered_kwh']:.1f}",
    )
    limit = day["site_limit_kw"]
    shown.add_row("peak, kW", f"{day['peak_site_kw']:.1f}", f"{day['uncontrolled_peak_site_kw']:.1f}", f"≤ {limit:.1f}")
    shown.add_row(
        f"over the {limit:.0f} kW limit",
        f"{day['limit_violations']} times",
        f"{day['uncontrolled_minutes_over_limit']:.0f} min",
        "never",
    )
    shown.add_row("limit allotted in full", f"{day['minutes_limit_allotted']:.0f} min", "", "")
    shown.add_row("metered at the limit", f"{day['minutes_at_limit']:.0f} min", "", "")
    shown.add_row("cars full at departure", f"{day['departures_met_share']:.1%}", "", "")
    shown.add_row("from the grid, kWh", f"{day['grid_kwh']:.1f}", "", "")
    return shown
