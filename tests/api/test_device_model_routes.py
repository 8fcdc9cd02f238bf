import pytest

from app.bus.subjects import station_command, station_onboarding
from app.domain.capabilities import Capabilities
from app.domain.commands import Accepted, Rejected
from app.domain.device import Variable
from app.operations import device_model, onboarding

pytestmark = pytest.mark.database

STATION = "/v1/stations/one"


@pytest.fixture
async def told(site, transactions):
    """Station `one` has told two variables and has been set up, but for one setting."""
    async with transactions() as tx:
        await onboarding.due(tx, "one", "ocpp2.0.1", {"Ctrlr.Interval": "60"})
        await device_model.store(
            tx, "one", [Variable("EVSE", "Power", "7", evse_number=1), Variable("Ctrlr", "Interval", "60", unit="s")]
        )
        await onboarding.finish(tx, "one", Capabilities(period_count=1), {})


async def test_variables_are_listed_and_filtered(operator, told):
    page = await operator.ok("GET", f"{STATION}/variables", params={"limit": 1})
    assert [each["variable"] for each in page["items"]] == ["Interval"]
    rest = await operator.ok("GET", f"{STATION}/variables", params={"cursor": page["next_cursor"]})
    assert [each["variable"] for each in rest["items"]] == ["Power"]
    chosen = await operator.ok("GET", f"{STATION}/variables", params={"component": "EVSE", "evse_number": 1})
    assert [(each["variable"], each["value"]) for each in chosen["items"]] == [("Power", "7")]
    assert (await operator.ok("GET", f"{STATION}/variables", params={"variable": "None"}))["items"] == []


async def test_the_onboarding_is_shown_and_asked_for_again(operator, told, bus):
    shown = await operator.ok("GET", f"{STATION}/onboarding")
    assert (shown["state"], shown["capabilities"]["period_count"]) == ("done", 1)
    station = await operator.ok("GET", STATION)
    assert [evse["is_controllable"] for evse in station["evses"]] == [False, False]
    with bus.listen(station_onboarding("one")) as bell:
        again = await operator.ok("POST", f"{STATION}/onboarding", status=202)
        assert again["state"] == "waiting"
        assert await bell.next() is True


async def test_a_station_that_was_never_set_up_waits(operator, site):
    shown = await operator.ok("GET", "/v1/stations/two/onboarding")
    assert (shown["state"], shown["unmet"], shown["started_at"]) == ("waiting", {}, None)
    for method, path in (("GET", "variables"), ("GET", "onboarding"), ("POST", "onboarding")):
        assert (await operator.send(method, f"/v1/stations/ghost/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("outcome", "unmet"), [(Accepted(), {"Ctrlr.Interval": "an operator has set it to 900"}), (Rejected("no"), {})]
)
async def test_a_wanted_setting_that_an_operator_writes_is_shown(operator, told, bus, outcome, unmet):
    async def answer(_command):
        return outcome

    with bus.serve(station_command("one"), answer):
        body = {"name": "Ctrlr.Interval", "value": "900"}
        await operator.ok("POST", f"{STATION}/commands/write-setting", body)
    assert (await operator.ok("GET", f"{STATION}/onboarding"))["unmet"] == unmet
