"""HTTP in, HTTP out: versioned routes over the operations, and one problem document for every error.

May import operations, bus and domain; never the store. `deps` holds what every route may ask for (one transaction per
request, the authenticated caller), `problems` the table from error codes to statuses, `v1` one file per noun.
Start reading at `build_router`.
"""

from fastapi import APIRouter

from app.api import health
from app.api.problems import install_problems
from app.api.v1 import (
    access_tokens,
    alarms,
    bookings,
    certificate_commands,
    commands,
    contract,
    device_model,
    drivers,
    electrical,
    explanations,
    flexibility,
    forecast_feeds,
    forecasts,
    frames,
    habits,
    limit_report,
    list_commands,
    load_rises,
    monitor_commands,
    plans,
    raw_door,
    readings,
    repairs,
    sessions,
    sites,
    station_logbook,
    station_security,
    stations,
    tariffs,
    upkeep_commands,
)

NOUNS = (
    sites,
    electrical,
    tariffs,
    limit_report,
    alarms,
    readings,
    load_rises,
    forecasts,
    forecast_feeds,
    plans,
    explanations,
    stations,
    station_logbook,
    device_model,
    station_security,
    frames,
    repairs,
    commands,
    list_commands,
    upkeep_commands,
    certificate_commands,
    monitor_commands,
    raw_door,
    drivers,
    habits,
    access_tokens,
    bookings,
    sessions,
    flexibility,
    contract,
)


def build_router() -> APIRouter:
    """Return all routes; every one but health needs a bearer token."""
    router = APIRouter()
    router.include_router(health.router)
    for noun in NOUNS:
        router.include_router(noun.router)
    return router


__all__ = ["build_router", "install_problems"]
