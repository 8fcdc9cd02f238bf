"""The electrical tree over the API: replaced as one, shown as it was given, refused by the names of its nodes."""

import pytest
from sqlalchemy import select, update

from app.bus.subjects import site_limits, station_orders
from app.store.electrical import AlarmRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

PLACE = "/v1/sites/north/electrical"
TREE = {
    "site": {"limit_kw": 55.0, "reserve_kw": 12.0, "demand_target_kw": 50.0, "surprised_stations": 1},
    "feeders": {
        "main": {"kind": "connection", "rating_a": 200.0, "margin_a": 5.0, "reserve_a": 60.0, "load_rise_a": 20.0},
        "panel-a": {"kind": "panel", "parent": "main", "rating_a": 100.0, "limit_kw": 30.0, "reserve_kw": 2.5},
    },
    "stations": {
        "one": {"evses": [{"feeder": "panel-a", "wiring": "L1-L2"}, {"feeder": "panel-a", "wiring": "L2-L3"}]},
        "two": {"evses": [{"feeder": "main", "wiring": "L1-L2-L3", "min_current_a": 8.0, "current": "DC"}]},
    },
}


async def test_a_tree_is_replaced_as_one_and_shown_as_it_can_be_sent_again(operator, site, bus, clock):
    with bus.listen(site_limits("north")) as bell:
        made = await operator.ok("PUT", PLACE, TREE, 200)
        assert await bell.next(clock.at)
    assert made["feeders"]["panel-a"] == {
        "kind": "panel",
        "parent": "main",
        "rating_a": 100.0,
        "limit_kw": 30.0,
        "margin_a": 0.0,
        "margin_kw": 0.0,
        "reserve_a": 0.0,
        "reserve_kw": 2.5,
        "load_rise_a": None,
        "load_rise_kw": None,
    }
    assert made["stations"]["two"]["evses"] == [
        {
            "feeder": "main",
            "wiring": "L1-L2-L3",
            "max_current_a": 16.0,
            "phase_count": 3,
            "min_current_a": 8.0,
            "current": "DC",
        }
    ]
    assert made["site"]["demand_target_kw"] == 50.0
    assert await operator.ok("GET", PLACE) == made
    assert await operator.ok("PUT", PLACE, made) == made
    shown = (await operator.ok("GET", "/v1/stations/one"))["evses"][1]
    assert (shown["feeder"], shown["wiring"], shown["current"], shown["is_trusted"]) == ("panel-a", "L2-L3", "AC", True)


async def test_a_site_without_a_tree_has_its_evses_at_itself(operator, site):
    found = await operator.ok("GET", PLACE)
    assert found["feeders"] == {}
    assert [(each["feeder"], each["wiring"]) for each in found["stations"]["one"]["evses"]] == [(None, "unknown")] * 2
    assert (await operator.send("GET", "/v1/sites/none/electrical")).status_code == 404
    assert (await operator.send("PUT", "/v1/sites/none/electrical", TREE)).status_code == 404


async def test_alarms_are_listed_newest_first_by_their_state(operator, site, transactions, clock):
    async with transactions() as tx:
        for number in range(3):
            ended_at = tx.now if number == 0 else None
            detail = {"over_a": number}
            tx.session.add(
                AlarmRow(
                    site_id="north",
                    kind="over",
                    subject=f"f{number}",
                    detail=detail,
                    began_at=tx.now,
                    ended_at=ended_at,
                )
            )
            await tx.session.flush()
    place = "/v1/sites/north/alarms"
    found = (await operator.ok("GET", place))["items"]
    assert [each["subject"] for each in found] == ["f2", "f1"]
    assert found[0]["detail"] == {"over_a": 2}
    assert [each["subject"] for each in (await operator.ok("GET", place + "?state=ended"))["items"]] == ["f0"]
    page = await operator.ok("GET", place + "?state=all&limit=2")
    assert len(page["items"]) == 2
    rest = await operator.ok("GET", f"{place}?state=all&limit=2&cursor={page['next_cursor']}")
    assert [each["subject"] for each in rest["items"]] == ["f0"]
    assert (await operator.send("GET", place + "?state=loud")).status_code == 422
    assert (await operator.send("GET", "/v1/sites/none/alarms")).status_code == 404


async def test_a_station_is_adopted_where_it_is_wired(operator, site):
    await operator.ok("PUT", PLACE, TREE)
    evse = {"max_current_a": 30.0, "feeder": "panel-a", "wiring": "L3-L1"}
    await operator.ok("POST", "/v1/stations", {"station_id": "three", "site_id": "north", "evses": [evse]}, 201)
    assert (await operator.ok("GET", PLACE))["stations"]["three"]["evses"][0]["wiring"] == "L3-L1"
    lost = {"station_id": "four", "site_id": "north", "evses": [evse | {"feeder": "panel-b"}]}
    answer = await operator.send("POST", "/v1/stations", lost)
    assert (answer.status_code, answer.json()["errors"]) == (
        422,
        [
            {
                "field": "evses[0].feeder",
                "reason": "hangs at 'panel-b', which is no feeder of the site; is 'panel-a' meant?",
            }
        ],
    )


async def test_an_evse_whose_default_changes_is_proven_again(operator, site, transactions, bus, clock):
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=tx.now))
    with bus.listen(station_orders("two")) as bell, bus.listen(station_orders("one")) as other:
        await operator.ok("PUT", PLACE, {"feeders": {}, "stations": {"two": {"evses": [{"phase_count": 1}]}}})
        assert await bell.next(clock.at)
        assert not await other.next(clock.at)
    async with transactions() as tx:
        rows = await tx.session.scalars(select(EvseRow).order_by(EvseRow.station_id, EvseRow.evse_number))
        assert [row.default_verified_at is None for row in rows] == [False, False, True]


async def test_a_body_that_names_a_feeder_twice_is_refused(operator, site):
    body = '{"feeders": {"main": {"rating_a": 100}, "main": {"rating_a": 300}}}'
    answer = await operator.client.put(PLACE, content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "main")
