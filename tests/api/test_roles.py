import re
from uuid import uuid4

import pytest
from fastapi.routing import iter_route_contexts

from app.domain.identity import Role

pytestmark = pytest.mark.database

PUBLIC = {("GET", "/health/live"), ("GET", "/health/ready")}
EVERYBODY = frozenset(Role)
OPERATOR = frozenset({Role.OPERATOR})
DRIVERS = OPERATOR | {Role.DRIVER}
KEEPERS = OPERATOR | {Role.STATION_ADMIN}
GRID = OPERATOR | {Role.GRID}

ALLOWED = {
    ("GET", "/v1/openapi.json"): EVERYBODY,
    ("GET", "/v1/sites"): EVERYBODY,
    ("GET", "/v1/sites/{site_id}"): EVERYBODY,
    ("POST", "/v1/sites"): OPERATOR,
    ("PATCH", "/v1/sites/{site_id}"): OPERATOR,
    ("PUT", "/v1/sites/{site_id}/tariff"): OPERATOR,
    ("GET", "/v1/sites/{site_id}/tariff"): OPERATOR,
    ("DELETE", "/v1/sites/{site_id}/tariff"): OPERATOR,
    ("GET", "/v1/sites/{site_id}/electrical"): KEEPERS,
    ("PUT", "/v1/sites/{site_id}/electrical"): OPERATOR,
    ("GET", "/v1/sites/{site_id}/alarms"): KEEPERS,
    ("GET", "/v1/sites/{site_id}/limit"): KEEPERS,
    ("POST", "/v1/sites/{site_id}/readings"): KEEPERS,
    ("GET", "/v1/sites/{site_id}/readings"): KEEPERS,
    ("GET", "/v1/sites/{site_id}/load-rise"): KEEPERS,
    ("POST", "/v1/sites/{site_id}/forecasts"): KEEPERS,
    ("GET", "/v1/sites/{site_id}/forecasts/latest"): KEEPERS,
    ("POST", "/v1/sites/{site_id}/forecasts/csv"): KEEPERS,
    ("GET", "/v1/sites/{site_id}/forecasts/skill"): KEEPERS,
    ("PUT", "/v1/sites/{site_id}/forecast-feed"): OPERATOR,
    ("GET", "/v1/sites/{site_id}/forecast-feed"): OPERATOR,
    ("DELETE", "/v1/sites/{site_id}/forecast-feed"): OPERATOR,
    ("GET", "/v1/sites/{site_id}/plan"): OPERATOR,
    ("GET", "/v1/plans/{plan_id}"): OPERATOR,
    ("GET", "/v1/plans/{plan_id}/inputs"): OPERATOR,
    ("GET", "/v1/plans/{plan_id}/explanation"): OPERATOR,
    ("GET", "/v1/sessions/{session_id}/explanation"): DRIVERS,
    ("POST", "/v1/stations"): KEEPERS,
    ("GET", "/v1/stations"): KEEPERS,
    ("GET", "/v1/stations/{station_id}"): KEEPERS,
    ("PATCH", "/v1/stations/{station_id}"): KEEPERS,
    ("DELETE", "/v1/stations/{station_id}"): KEEPERS,
    ("POST", "/v1/stations/{station_id}/key"): KEEPERS,
    ("POST", "/v1/stations/{station_id}/security-profile"): KEEPERS,
    ("POST", "/v1/stations/{station_id}/certificates"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/certificates"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/certificates/{certificate_id}"): KEEPERS,
    ("PUT", "/v1/stations/{station_id}/certificates/{certificate_id}/chain"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/quarantine"): KEEPERS,
    ("POST", "/v1/stations/{station_id}/ocpp/{action}"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/events"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/commands"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/jobs"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/jobs/{request_id}"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/reservations"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/frames"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/frames/stream"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/variables"): KEEPERS,
    ("GET", "/v1/stations/{station_id}/onboarding"): KEEPERS,
    ("POST", "/v1/stations/{station_id}/onboarding"): KEEPERS,
    ("GET", "/v1/repairs"): KEEPERS,
    ("GET", "/v1/strangers"): KEEPERS,
    ("POST", "/v1/drivers"): OPERATOR,
    ("GET", "/v1/drivers"): OPERATOR,
    ("GET", "/v1/drivers/{driver_id}"): DRIVERS,
    ("DELETE", "/v1/drivers/{driver_id}"): DRIVERS,
    ("POST", "/v1/drivers/{driver_id}/tokens"): OPERATOR,
    ("GET", "/v1/drivers/{driver_id}/tokens"): DRIVERS,
    ("PATCH", "/v1/drivers/{driver_id}/tokens/{token}"): OPERATOR,
    ("DELETE", "/v1/drivers/{driver_id}/tokens/{token}"): OPERATOR,
    ("POST", "/v1/drivers/{driver_id}/vehicles"): DRIVERS,
    ("GET", "/v1/drivers/{driver_id}/vehicles"): DRIVERS,
    ("DELETE", "/v1/drivers/{driver_id}/vehicles/{vehicle_id}"): DRIVERS,
    ("GET", "/v1/drivers/{driver_id}/habits"): DRIVERS,
    ("PUT", "/v1/drivers/{driver_id}/habits"): DRIVERS,
    ("DELETE", "/v1/drivers/{driver_id}/habits"): DRIVERS,
    ("GET", "/v1/sites/{site_id}/habits"): OPERATOR,
    ("POST", "/v1/access-tokens"): OPERATOR,
    ("GET", "/v1/access-tokens"): OPERATOR,
    ("DELETE", "/v1/access-tokens/{token_id}"): OPERATOR,
    ("POST", "/v1/bookings"): DRIVERS,
    ("GET", "/v1/bookings"): DRIVERS,
    ("GET", "/v1/bookings/{booking_id}"): DRIVERS,
    ("PATCH", "/v1/bookings/{booking_id}"): DRIVERS,
    ("DELETE", "/v1/bookings/{booking_id}"): DRIVERS,
    ("GET", "/v1/sessions"): DRIVERS,
    ("GET", "/v1/sessions/{session_id}"): DRIVERS,
    ("PUT", "/v1/sessions/{session_id}/intent"): DRIVERS,
    ("GET", "/v1/flexibility"): GRID,
} | {
    ("POST", f"/v1/stations/{{station_id}}/commands/{name}"): KEEPERS
    for name in (
        "start",
        "stop",
        "reset",
        "trigger",
        "read-settings",
        "write-setting",
        "clear-profiles",
        "composite-schedule",
        "read-profiles",
        "trust",
        "unlock",
        "availability",
        "session-status",
        "clear-cache",
        "local-list-version",
        "send-local-list",
        "reserve",
        "cancel-reservation",
        "log",
        "firmware",
        "report",
        "customer-information",
        "data-transfer",
        "install-certificate",
        "delete-certificate",
        "read-certificates",
        "set-monitoring-base",
        "set-monitoring-level",
        "set-monitors",
        "clear-monitors",
        "read-monitors",
    )
}


def routes_of(app) -> set[tuple[str, str]]:
    return {
        (method, context.path)
        for context in iter_route_contexts(app.routes)
        for method in context.methods or ()
        if method != "HEAD"
    }


def somewhere(path: str) -> str:
    """The path with ids that nothing has."""
    return re.sub(r"{(\w+)}", lambda part: "nowhere" if part[1] in {"site_id", "station_id"} else str(uuid4()), path)


def test_every_route_is_either_public_or_in_the_table_of_roles(app):
    routes = routes_of(app)
    assert len(routes) > 40
    assert routes == PUBLIC | set(ALLOWED)


async def test_every_route_but_health_refuses_a_missing_or_wrong_token_first(app, desk):
    nobody, liar = desk.caller(None), desk.caller("x" * 43)
    basic = {"Authorization": "Basic c29tZTpvbmU="}
    for method, path in sorted(routes_of(app) - PUBLIC):
        answers = [
            await nobody.send(method, somewhere(path)),
            await liar.send(method, somewhere(path)),
            await nobody.send(method, somewhere(path), headers=basic),
        ]
        assert [answer.status_code for answer in answers] == [401, 401, 401], (method, path)
        assert {answer.json()["code"] for answer in answers} == {"unauthenticated"}


async def test_every_route_refuses_every_wrong_role_and_no_right_one(app, desk):
    callers = {role: await desk.with_role(role) for role in Role}
    wrong = []
    for method, path in sorted(routes_of(app) - PUBLIC):
        for role, caller in callers.items():
            status = (await caller.send(method, somewhere(path))).status_code
            if (status == 403) == (role in ALLOWED[method, path]) or status in {401, 500}:
                wrong.append((method, path, role, status))
    assert wrong == []


async def test_the_openapi_document_describes_every_route_with_its_problems(app, operator):
    document = await operator.ok("GET", "/v1/openapi.json")
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert described == routes_of(app)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            if path.startswith("/v1"):
                assert {"401", "403", "422", "503"} <= operation["responses"].keys(), (method, path)
                assert list(operation["responses"]["401"]["content"]) == ["application/problem+json"]
                assert operation["security"] == [{"HTTPBearer": []}]
    names = [operation["operationId"] for operations in document["paths"].values() for operation in operations.values()]
    assert len(names) == len(set(names))
