"""Some chargers wedge when they are commanded before their boot; others never boot, or never again."""

import asyncio

import pytest
from charger import plugged
from rows import add_station

from app.domain.commands import ApplyProfile, Profile, ProfilePurpose, RateUnit, Reboot, StartSession, Trigger
from app.domain.facts import BootStatus
from app.ocpp_central.boot import BootGate

BOOTS = {
    "ocpp1.6": {"chargePointVendor": "V", "chargePointModel": "M"},
    "ocpp2.0.1": {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}},
}
KNOWN = {"ocpp1.6": "cp16", "ocpp2.0.1": "cp201"}
FIRST = {"ocpp1.6": "GetConfiguration", "ocpp2.0.1": "GetBaseReport"}

both = pytest.mark.parametrize("dialect", sorted(BOOTS))
on_wire = [
    pytest.mark.database,
    pytest.mark.ocpp("1.6", "BootNotification"),
    pytest.mark.ocpp("2.0.1", "BootNotification"),
]


@pytest.fixture
async def fresh(transactions, park):
    """Stations that have never booted."""
    async with transactions() as tx:
        for dialect in BOOTS:
            await add_station(tx, f"new-{dialect}", dialect=dialect, connection_id=None, needs_boot=True)


def marked(test):
    for mark in on_wire:
        test = mark(test)
    return both(test)


@marked
async def test_a_station_that_never_boots_on_reconnect_is_commanded_after_its_first_call(start, park, dialect):
    async with start(reconnect_wait_s=60) as central, plugged(central.port, KNOWN[dialect], dialect) as charger:
        await asyncio.sleep(0.2)
        assert charger.calls == []
        await charger.call("Heartbeat", {})
        await charger.heard(FIRST[dialect])


@marked
async def test_a_station_that_says_nothing_on_reconnect_is_commanded_after_a_moment(start, park, dialect):
    async with start(reconnect_wait_s=0.3) as central, plugged(central.port, KNOWN[dialect], dialect) as charger:
        assert charger.calls == []
        await charger.heard(FIRST[dialect])


@marked
async def test_a_station_that_boots_on_reconnect_hears_nothing_before_its_answer(start, park, dialect):
    async with start(reconnect_wait_s=60) as central, plugged(central.port, KNOWN[dialect], dialect) as charger:
        await asyncio.sleep(0.2)
        assert (await charger.call("BootNotification", BOOTS[dialect]))["status"] == "Accepted"
        await charger.heard(FIRST[dialect])


@marked
async def test_a_new_station_hears_nothing_before_its_boot_whatever_else_it_says(start, fresh, dialect):
    async with start(boot_wait_s=60) as central, plugged(central.port, f"new-{dialect}", dialect) as charger:
        await charger.call("Heartbeat", {})
        await asyncio.sleep(0.3)
        assert charger.calls == []
        await charger.call("BootNotification", BOOTS[dialect])
        await charger.heard(FIRST[dialect])


@marked
async def test_a_boot_that_never_comes_is_asked_for_and_then_done_without(start, fresh, dialect):
    async with start(boot_wait_s=0.3) as central, plugged(central.port, f"new-{dialect}", dialect) as charger:
        await charger.heard(FIRST[dialect])
        assert charger.calls[0] == ("TriggerMessage", {"requestedMessage": "BootNotification"})


LIMIT = ApplyProfile(1, Profile(1, ProfilePurpose.DEFAULT, 0, RateUnit.A, ()))


async def test_between_a_boot_and_its_answer_the_gate_is_closed():
    gate = BootGate(needs_boot=False)
    gate.spoke()
    assert gate.is_open
    gate.secure(gate.boot_count)
    gate.knocked()
    assert not gate.is_open
    assert not gate.is_secured
    asked = asyncio.create_task(gate.lets(LIMIT))
    await asyncio.sleep(0)
    assert not asked.done()
    gate.answered(BootStatus.ACCEPTED)
    assert await asked is True


async def test_a_boot_that_could_not_be_recorded_does_not_close_the_gate_for_good():
    gate = BootGate(needs_boot=False)
    gate.knocked()
    gate.spoke()
    assert gate.is_open


async def test_what_was_secured_before_a_boot_is_not_after_it():
    gate = BootGate(needs_boot=True)
    gate.answered(BootStatus.ACCEPTED)
    count = gate.boot_count
    gate.answered(BootStatus.ACCEPTED)
    gate.secure(count)
    assert not gate.is_secured
    gate.secure(gate.boot_count)
    assert gate.is_secured


async def test_a_pending_station_is_not_given_limits_nor_opened_by_what_it_says():
    gate = BootGate(needs_boot=False)
    gate.answered(BootStatus.PENDING)
    gate.spoke()
    assert not gate.is_open
    assert await gate.lets(LIMIT) is False
    assert await gate.lets(Reboot()) is True


async def test_a_station_that_is_not_commissioned_gets_no_remote_start_even_if_its_boot_never_comes():
    gate = BootGate(needs_boot=True, is_commissioned=False)
    gate.give_way()
    assert not await gate.lets(StartSession(1, "CARD-1", 1))
    assert not await gate.lets_action("RemoteStopTransaction")
    assert await gate.lets(Trigger("boot"))
    assert not gate.is_open
