"""The electrical tree over the API: replaced as one, shown as it was given, refused by the names of its nodes."""

import copy
import json
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from app.bus.subjects import site_limits, station_orders
from app.domain.facts import SessionStarted
from app.domain.identity import Role
from app.operations.station_facts import record_facts
from app.store.electrical import AlarmRow, FeederRow
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.station import EvseRow, StationRow

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


def spoilt(*path_and_value, of=TREE):
    """The tree with one value another one; `...` takes it away."""
    *path, value = path_and_value
    body = copy.deepcopy(of)
    inner = body
    for part in path[:-1]:
        inner = inner[part]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return body


EVSE = ("stations", "one", "evses", 0)
WRONG = [
    (spoilt("feeders", ...), "feeders", "is needed"),
    (spoilt("feeders", "main", "rating_a", 0), "feeders.main.rating_a", "greater than 0"),
    (spoilt("feeders", "main", "rating_a", float("nan")), "feeders.main.rating_a", "must be a finite number"),
    (spoilt("feeders", "main", "rating_a", float("inf")), "feeders.main.rating_a", "must be a finite number"),
    (spoilt("feeders", "main", "rating_a", 1e300), "feeders.main.rating_a", "less than or equal to 10000"),
    (spoilt("feeders", "main", "rating_a", "200"), "feeders.main.rating_a", "valid number"),
    (spoilt("feeders", "main", "rating_a", ...), "feeders.main.rating_a", "is missing, and limit_kw too"),
    (spoilt("feeders", "main", "margin_a", -1), "feeders.main.margin_a", "greater than or equal to 0"),
    (spoilt("feeders", "main", "margin_a", 140), "feeders.main.rating_a", "together must be less than rating_a"),
    (spoilt("feeders", "main", "margin_kw", 1), "feeders.main.margin_kw", "means nothing without limit_kw"),
    (spoilt("feeders", "main", "limits", 1), "feeders.main.limits", "is not a known field"),
    (spoilt("feeders", "main", "kind", "fuse"), "feeders.main.kind", "'connection', 'transformer'"),
    (spoilt("feeders", "main", "parent", "panel-a"), "feeders.main.parent", "main → panel-a → main"),
    (spoilt("feeders", "panel-a", "parent", "mian"), "feeders.panel-a.parent", "is 'main' meant?"),
    (spoilt("feeders", "panel-a", "reserve_a", 61), "feeders.main.reserve_a", "reserve 61 A together, this one 60 A"),
    (spoilt("feeders", "panel-a", "reserve_kw", 13), "site.reserve_kw", "reserve 13 kW together, this node 12 kW"),
    (spoilt("feeders", "MAIN", {"rating_a": 1}), "feeders.MAIN", "differs from main only in its capitals"),
    (spoilt("feeders", "two words", {"rating_a": 1}), "feeders.two words", "String should match pattern"),
    (spoilt("feeders", {f"f{n}": {"rating_a": 1} for n in range(501)}), "feeders", "at most 500"),
    (spoilt("site", "limit_kw", 0), "site.limit_kw", "greater than or equal to 0.001"),
    (spoilt("site", "limit_kw", 1e-300), "site.limit_kw", "greater than or equal to 0.001"),
    (spoilt("site", "reserve_kw", 55), "site.limit_kw", "together must be less than limit_kw"),
    (spoilt("site", "safe_current_a", 5.0), "site.safe_current_a", "0, or 6 A and more"),
    (spoilt("site", "surprised_stations", -1), "site.surprised_stations", "greater than or equal to 0"),
    (spoilt("stations", "none", {"evses": [{}]}), "stations.none", "is no station of this site"),
    (spoilt("stations", "two", "evses", [{}, {}]), "stations.two.evses[1]", "has no EVSE of this number"),
    (spoilt(*EVSE, "feeder", "panel-b"), "stations.one.evses[0].feeder", "is 'panel-a' meant?"),
    (spoilt(*EVSE, "wiring", "L1-L2-L3"), "stations.one.evses[0].wiring", "contradicts phase_count 1"),
    (spoilt(*EVSE, "wiring", "L1L2"), "stations.one.evses[0].wiring", "Input should be"),
    (spoilt(*EVSE, "max_current_a", 120), "stations.one.evses[0].max_current_a", "above the rating of panel-a (100 A)"),
    (spoilt(*EVSE, "min_current_a", 31), "stations.one.evses[0].min_current_a", "is above max_current_a (30 A)"),
    (spoilt(*EVSE, "current", "DC"), "stations.one.evses[0].min_current_a", "a minimum of its own"),
]


@pytest.mark.parametrize(("body", "field", "part"), WRONG, ids=[f"{case[1]}: {case[2]}" for case in WRONG])
async def test_a_wrong_tree_is_refused_by_the_names_of_its_nodes_and_nothing_changes(operator, site, body, field, part):
    before = await operator.ok("GET", PLACE)
    answer = await operator.client.put(PLACE, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert [field for each in answer.json()["errors"] if each["field"] == field and part in each["reason"]] == [field]
    assert await operator.ok("GET", PLACE) == before


async def test_safe_currents_have_to_fit_at_every_row_whatever_changes(operator, site):
    """INV-4 at a change of the tree, of the site, and at adoption."""
    small = spoilt("feeders", "panel-a", "rating_a", 31.0)
    small["feeders"]["panel-a"]["reserve_a"] = 22.0
    answer = await operator.send("PUT", PLACE, small)
    assert answer.status_code == 409
    assert answer.json()["errors"] == [
        {
            "field": "feeders.panel-a.rating_a",
            "reason": "feeder panel-a (L2): the safe currents of its EVSEs need 12 A together, 9 A are left for them: "
            "3 A too much",
        }
    ]
    small["feeders"]["panel-a"]["reserve_a"] = 16.0
    await operator.ok("PUT", PLACE, small)
    answer = await operator.send("PATCH", "/v1/sites/north", {"safe_current_a": 8.0})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "feeders.panel-a.rating_a")
    assert "16 A together, 15 A are left for them: 1 A too much" in answer.json()["detail"]
    evse = {"max_current_a": 30.0, "feeder": "panel-a", "wiring": "L3-L1"}
    body = {"station_id": "three", "site_id": "north", "evses": [evse]}
    await operator.ok("POST", "/v1/stations", body, 201)
    answer = await operator.send("POST", "/v1/stations", body | {"station_id": "four"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "feeders.panel-a.rating_a")
    assert "(L1)" in answer.json()["detail"]


async def test_a_conductor_that_may_be_any_counts_on_all(operator, site):
    """Wiring that nobody has looked at is the worst case."""
    tree = {"feeders": {"main": {"rating_a": 31.0, "margin_a": 20.0}}, "site": {"surprised_stations": 0}}
    split = [{"feeder": "main", "wiring": "L1-N"}, {"feeder": "main", "wiring": "L2-N"}]
    await operator.ok("PUT", PLACE, tree | {"stations": {"one": {"evses": split}}})
    answer = await operator.send(
        "PUT", PLACE, tree | {"stations": {"one": {"evses": [split[0], {"wiring": "unknown"}]}}}
    )
    assert answer.status_code == 409


async def test_what_was_wrong_before_does_not_forbid_another_change(operator, site, transactions):
    await operator.ok("PUT", PLACE, TREE)
    async with transactions() as tx:
        await tx.session.execute(update(FeederRow).where(FeederRow.feeder_id == "panel-a").values(rating_a=10.0))
    assert (await operator.ok("PATCH", "/v1/sites/north", {"name": "North"}))["name"] == "North"
    answer = await operator.send("PATCH", "/v1/sites/north", {"safe_current_a": 12.0})
    assert answer.status_code == 409


async def test_sites_take_and_show_their_electrical_numbers_and_null_takes_targets_away(operator, site):
    changes = {
        "surprised_stations": 2,
        "low_voltage_share": 0.95,
        "load_rise_kw": 5.5,
        "demand_target_kw": 40.0,
        "min_current_a": 6.0,
    }
    changed = await operator.ok("PATCH", "/v1/sites/north", changes)
    assert changes.items() <= changed.items()
    cleared = await operator.ok(
        "PATCH", "/v1/sites/north", {"load_rise_kw": None, "demand_target_kw": None, "name": None}
    )
    assert (cleared["load_rise_kw"], cleared["demand_target_kw"], cleared["name"]) == (None, None, "North car park")


async def charge(transactions, clock, power_w):
    """A car at station `one`, EVSE 1, with an accepted limit."""
    at = clock.at
    async with transactions() as tx:
        await tx.session.execute(update(EvseRow).values(default_verified_at=at - timedelta(minutes=5)))
        await tx.session.execute(update(StationRow).values(lease_slack=timedelta()))
        await record_facts(tx, "one", [SessionStarted(1, at, at, None, None, 0.0, "k")])
    async with transactions() as tx:
        session = (await tx.session.scalars(select(SessionRow))).one()
        tx.session.add(
            LimitRow(
                evse_id=session.evse_id,
                session_id=session.session_id,
                power_w=power_w,
                reason="raise",
                intended_at=at,
                lease_ends_at=at + timedelta(minutes=10),
                ends_at=at + timedelta(minutes=10, seconds=30),
                outcome="accepted",
                outcome_at=at,
                is_closed=False,
            )
        )


async def test_what_an_ampere_means_cannot_change_under_a_limit_that_may_be_in_force(
    operator, site, transactions, clock
):
    """The ledger counts in W: with other phases the same W would be another current."""
    await operator.ok("PUT", PLACE, TREE)
    await charge(transactions, clock, 5000.0)
    changed = {"stations": {"one": {"evses": [{"phase_count": 3, "wiring": "L1-L2-L3"}]}}}
    answer = await operator.send("PUT", PLACE, TREE | changed)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "stations.one.evses[0].phase_count")
    answer = await operator.send("PATCH", "/v1/sites/north", {"voltage_v": 230.0})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (409, "site.voltage_v")
    async with transactions() as tx:
        await tx.session.execute(update(LimitRow).values(is_closed=True))
    await operator.ok("PATCH", "/v1/sites/north", {"voltage_v": 230.0})
    evse = (await operator.ok("GET", "/v1/stations/one"))["evses"][0]
    assert (evse["nameplate_kw"], evse["is_verified"]) == (6.9, False)


async def test_the_report_says_what_every_row_bears_and_what_the_controller_is_needed_for(
    operator, site, transactions, clock
):
    await operator.ok("PUT", PLACE, TREE)
    new = await operator.ok("GET", "/v1/sites/north/limit")
    assert new["is_safe_unattended"] is True  # all at nameplate fit too
    assert {(each["station_id"], each["evse_number"]) for each in new["doubtful"]} == {
        ("one", 1),
        ("one", 2),
        ("two", 1),
    }
    await charge(transactions, clock, 5000.0)
    found = await operator.ok("GET", "/v1/sites/north/limit")
    rows = {(row["feeder"], row["conductor"]): row for row in found["rows"]}
    assert len(rows) == 1 + 3 + 4
    assert (found["holds"], found["is_safe_unattended"], found["unsafe"], found["doubtful"]) == (True, True, [], [])
    assert rows["panel-a", "L2"] == {
        "feeder": "panel-a",
        "conductor": "L2",
        "unit": "A",
        "rating": 100.0,
        "margin": 0.0,
        "reserve": 0.0,
        "uncontrolled": 0.0,
        "surprises": [{"station_id": "one", "more": 48.0}],
        "in_force": 31.0,
        "headroom": 21.0,
        "holds": True,
        "resting": 12.0,
        "missing_unattended": 0.0,
    }
    assert rows[None, None]["unit"] == "kW"
    assert rows[None, None]["in_force"] == 9.8  # 5.0, the other's 1.2, and 3.6 of the three-phase one


async def test_a_tighter_tree_shows_at_once_where_the_limit_is_exceeded_until_it_is_shed(
    operator, site, transactions, clock
):
    await operator.ok("PUT", PLACE, TREE)
    await charge(transactions, clock, 5000.0)
    await operator.ok("PUT", PLACE, spoilt("feeders", "panel-a", "rating_a", 60.0))
    found = await operator.ok("GET", "/v1/sites/north/limit")
    assert found["holds"] is False
    over = {(row["feeder"], row["conductor"]): row["headroom"] for row in found["rows"] if not row["holds"]}
    assert over == {("panel-a", "L2"): -19.0}
    assert found["is_safe_unattended"] is True


async def test_unproven_and_distrusted_evses_are_named_with_what_they_cost(operator, site, transactions, clock):
    await operator.ok("PUT", PLACE, spoilt("feeders", "panel-a", "rating_a", 50.0))
    async with transactions() as tx:
        at_two = EvseRow.station_id == "two"
        await tx.session.execute(update(EvseRow).where(at_two).values(default_verified_at=tx.now))
        await tx.session.execute(
            update(EvseRow).where(at_two).values(distrusted_at=tx.now, distrusted_for="draws 16 A at 0 A")
        )
    found = await operator.ok("GET", "/v1/sites/north/limit")
    assert found["is_safe_unattended"] is False
    assert found["unsafe"] == [
        "feeder panel-a (L2): EVSEs at their safe current, and at nameplate where it is not proven (one/1, one/2), "
        "may draw 60 A, 50 A are left for them"
    ]
    told = {(each["station_id"], each["evse_number"]): each for each in found["doubtful"]}
    assert told["one", 1]["unproven_for"] == "it has never connected"
    assert (told["two", 1]["uncontrollable_for"], told["two", 1]["unproven_for"]) == ("draws 16 A at 0 A",) * 2
    assert told["one", 1]["uncontrollable_for"] == "it has never connected"
    shown = (await operator.ok("GET", "/v1/stations/two"))["evses"][0]
    assert (shown["is_trusted"], shown["is_controllable"], shown["distrusted_for"]) == (
        False,
        False,
        "draws 16 A at 0 A",
    )


async def test_only_operators_change_the_tree(desk, site):
    keeper = await desk.with_role(Role.STATION_ADMIN)
    assert (await keeper.send("PUT", PLACE, TREE)).status_code == 403
    assert (await keeper.send("GET", PLACE)).status_code == 200
    assert (await (await desk.with_role(Role.DRIVER)).send("GET", PLACE)).status_code == 403
