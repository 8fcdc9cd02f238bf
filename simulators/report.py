"""What the day amounted to, as the simulators' electrical model and the stations' journals counted it."""

from typing import Any

from simulators.car import Car
from simulators.electrical import SiteMeter
from simulators.evse import Evse
from simulators.prepared import MAX_CURRENT_A, PHASE_COUNT, VOLTAGE_V, PreparedDay, local_text
from simulators.theatre import Theatre, Visit


def uncontrolled(day: PreparedDay, limit_w: float) -> dict[str, Any]:
    """Return the same day with every car at full power from plug-in and no site limit (`limit_w` only counts)."""
    meter = SiteMeter(day.starts_s, day.ends_s, day.sun.surplus, limit_w)
    for commuter in day.roll.commuters:
        evse = Evse(1, MAX_CURRENT_A, PHASE_COUNT, VOLTAGE_V)
        evse.car = Car(commuter.need_wh, commuter.max_power_w, commuter.taper, commuter.battery_wh)
        evse.is_closed = True
        evse.offer(MAX_CURRENT_A)
        first = commuter.arrives_s - day.starts_s
        for second in range(first, commuter.leaves_s - day.starts_s):
            meter.ev_w[second] += evse.tick()
            if not evse.is_live:
                break
    meter.count(day.ends_s)
    return {
        "delivered_wh": round(meter.delivered_wh, 1),
        "solar_wh": round(meter.solar_wh, 1),
        "grid_wh": round(meter.grid_wh, 1),
        "peak_site_w": round(meter.peak_w, 1),
        "minutes_over_limit": round(meter.over_limit_s / 60, 1),
    }


def _session(theatre: Theatre, visit: Visit) -> dict[str, Any]:
    commuter = visit.commuter
    left_s = theatre.clock.now_s if visit.left_s is None else visit.left_s
    return {
        "commuter_id": commuter.commuter_id,
        "station_id": theatre.day.station_id(commuter.station_no),
        "announces": "app" if commuter.books_s is None else "booking",
        "arrived_at": local_text(visit.arrived_s),
        "left_at": local_text(left_s),
        "declared_at": local_text(commuter.declared_s),
        "requested_wh": commuter.need_wh,
        "delivered_wh": round(visit.car.delivered_wh, 1),
    }


def _messages(theatre: Theatre) -> dict[str, Any]:
    stations = theatre.park.stations.values()
    return {
        "limits_received": sum(station.journal.limits_received_count for station in stations),
        "limits_accepted": sum(station.journal.limits_accepted_count for station in stations),
        "defaults_accepted": sum(station.journal.defaults_accepted_count for station in stations),
        "messages_sent": sum(station.journal.sent_count for station in stations),
        "messages_acked": sum(station.journal.acked_count for station in stations),
        "messages_lost": sum(station.outbox.lost_count + station.outbox.pending_count for station in stations),
        "journal": {station.identity: station.journal.told() for station in stations},
    }


def report_of(theatre: Theatre) -> dict[str, Any]:
    """Return the whole report as JSON values; what is not acknowledged by now counts as lost."""
    meter, counts = theatre.meter, theatre.employees.counts
    meter.count(theatre.clock.now_s)
    sessions = [_session(theatre, visit) for visit in theatre.visits.values()]
    return {
        "sessions": sessions,
        "energy_requested_wh": round(sum(session["requested_wh"] for session in sessions), 1),
        "energy_delivered_wh": round(meter.delivered_wh, 1),
        "solar_wh": round(meter.solar_wh, 1),
        "grid_wh": round(meter.grid_wh, 1),
        "peak_site_w": round(meter.peak_w, 1),
        "limit_violations": len(meter.episodes),
        "violations": [episode.told() for episode in meter.episodes],
        "minutes_at_limit": round(meter.at_limit_s / 60, 1),
        "bookings": {"made": counts["booked"], "refused": counts["refused"]},
        "intents": {"made": counts["told"], "failed": counts["untold"]},
        "http_errors": counts["errors"],
        "outages": [outage.told() for outage in theatre.outages],
        "parking": {
            "moved": theatre.day.roll.moved_count,
            "dropped": theatre.day.roll.dropped_count,
            "troubles": theatre.troubles,
        },
        "series": meter.minutes(),
        "uncontrolled": uncontrolled(theatre.day, theatre.setup.site_limit_w),
        **_messages(theatre),
    }
