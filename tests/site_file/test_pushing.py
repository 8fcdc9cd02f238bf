"""`sunslot site apply` and `show` against a running API."""

import asyncio
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.api import build_router, install_problems
from app.api.deps import ApiContext
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.identity import Role
from app.operations import access
from app.runtime.http import serve_http
from app.site_file.pushing import Api, apply, client_of, stored_file, tariff_differences
from app.site_file.reading import read

pytestmark = pytest.mark.database

EXAMPLE = (Path(__file__).parents[2] / "examples" / "site.toml").read_text()


@pytest.fixture
async def served(transactions, bus, clock):
    """Where the API is served, and an operator's token."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.api = ApiContext(transactions, bus, clock, list)
    install_problems(app)
    app.include_router(build_router())
    async with transactions() as tx:
        token, _ = await access.issue(tx, Role.OPERATOR, "operator", None)
    async with serve_http(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}", token


async def pushed(served, text, keys_file=None, *, is_dry=False):
    def push():
        with client_of(*served) as client:
            return list(apply(read(text), Api(client), keys_file, is_dry=is_dry))

    return await asyncio.to_thread(push)


async def test_a_new_site_comes_with_its_stations_and_the_second_time_nothing_changes(served, tmp_path):
    keys_file = tmp_path / "keys"
    said = await pushed(served, EXAMPLE, keys_file)
    assert said[:2] == ["site north: is new", "feeders.connection: is new"]
    assert said[-1] == "stations.quick: is new"
    keys = dict(line.split() for line in keys_file.read_text().splitlines())
    assert len(keys) == 7
    assert keys_file.stat().st_mode & 0o077 == 0
    assert all(len(key) == 20 for key in keys.values())
    assert await pushed(served, EXAMPLE) == []


async def test_what_a_server_has_is_the_file_that_was_pushed(served, tmp_path):
    await pushed(served, EXAMPLE, tmp_path / "keys")

    def stored():
        with client_of(*served) as client:
            return stored_file(Api(client), "north")

    assert await asyncio.to_thread(stored) == read(EXAMPLE)


async def test_only_what_differs_is_said_and_changed(served, tmp_path):
    await pushed(served, EXAMPLE, tmp_path / "keys")
    changed = EXAMPLE.replace("limit_kw = 100 ", "limit_kw = 95 ").replace(
        'feeder = "panel-b", max', 'feeder = "panel-a", max'
    )
    changed = changed.replace("demand_target_kw = 90", "#").replace("[feeders.breaker-b-dc]", "[feeders.dc]")
    changed = changed.replace('"breaker-b-dc"', '"dc"').split("[stations.cp-05]")
    changed = changed[0] + "[stations.cp-06]" + changed[1].split("[stations.cp-06]")[1]
    expected = [
        "site.limit_kw: 100 → 95",
        "site.demand_target_kw: 90 → none",
        "feeders.breaker-b-dc: is taken away",
        "feeders.dc: is new",
        "stations.cp-06.evses[0].feeder: panel-b → panel-a",
        "stations.quick.evses[0].feeder: breaker-b-dc → dc",
        "stations.cp-05: is not in the file and stays as it is",
    ]
    assert await pushed(served, changed, is_dry=True) == expected
    assert await pushed(served, changed) == expected
    assert await pushed(served, changed) == expected[-1:]


async def test_a_tariff_is_pushed_changed_and_taken_away(served, tmp_path):
    head, tail = EXAMPLE.split("[tariff]")
    without = head + "[feeders." + tail.split("[feeders.", 1)[1]
    assert "tariff" not in without
    await pushed(served, EXAMPLE, tmp_path / "keys")
    changed = EXAMPLE.replace("price_per_kwh = 30", "price_per_kwh = 31")
    assert await pushed(served, changed, is_dry=True) == ["tariff.periods[0].price_per_kwh: 30 → 31"]
    assert await pushed(served, changed) == ["tariff.periods[0].price_per_kwh: 30 → 31"]
    assert await pushed(served, changed) == []
    assert await pushed(served, without) == ["tariff: is taken away"]
    assert await pushed(served, without) == []
    assert await pushed(served, EXAMPLE) == ["tariff: is new"]


def test_periods_of_a_tariff_are_told_apart_by_their_number():
    period = {"days": ["mon"], "from": "08:00", "to": "09:00", "price_per_kwh": 1.0}
    later = period | {"days": ["mon", "sun"], "to": "10:00"}
    one, two = {"currency": "JPY", "periods": [period]}, {"currency": "EUR", "periods": [later, period]}
    there = ["tariff.currency: JPY → EUR", "tariff.periods[0].days: mon → mon, sun"]
    assert list(tariff_differences(one, two)) == [
        *there,
        "tariff.periods[0].to: 09:00 → 10:00",
        "tariff.periods[1]: is new",
    ]
    assert list(tariff_differences(two, one))[-1] == "tariff.periods[1]: is taken away"
    assert list(tariff_differences(None, None)) == []


async def test_stations_that_are_not_provisioned_are_an_error_unless_keys_may_be_written(served):
    with pytest.raises(Conflict, match="not provisioned yet: cp-01, cp-02, cp-03, cp-04, cp-05, …; with --keys-file"):
        await pushed(served, EXAMPLE)
    with client_of(*served) as client, pytest.raises(NotFound):
        await asyncio.to_thread(Api(client).get, "/v1/sites/north")


async def test_what_the_server_refuses_is_told_in_its_words(served, tmp_path):
    await pushed(served, EXAMPLE, tmp_path / "keys")
    with pytest.raises(Conflict, match="a zone does not change"):
        await pushed(served, EXAMPLE.replace("Asia/Tokyo", "Europe/Berlin"))
    more = "[stations.cp-03]\nevses = [{ max_current_a = 30 }, { max_current_a = 30 }]\n\n[stations.cp-04]"
    cut = EXAMPLE.split("[stations.cp-03]")[0] + more + EXAMPLE.split("[stations.cp-04]")[1]
    with pytest.raises(Conflict, match=r"stations.cp-03.evses\[1\]: the station has no EVSE of this number"):
        await pushed(served, cut)
    with pytest.raises(Conflict, match="401"):
        await pushed((served[0], "wrong"), EXAMPLE)
    with pytest.raises(Invalid, match="does not answer"):
        await pushed(("http://127.0.0.1:1", "t"), EXAMPLE)
    with pytest.raises(Invalid, match="is not a URL"):
        await pushed(("http://a:b", "t"), EXAMPLE)

    def nowhere():
        with client_of(*served) as client:
            stored_file(Api(client), "nowhere")

    with pytest.raises(NotFound):
        await asyncio.to_thread(nowhere)
