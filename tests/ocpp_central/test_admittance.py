"""Who gets in while others hammer, who has to wait for being commissioned, and who is hung up on."""

import asyncio

import pytest
from charger import TIMEOUT_S, basic, plugged
from rows import add_station
from sqlalchemy import select
from websockets.exceptions import InvalidHandshake, InvalidStatus

from app.bus.subjects import station_command
from app.domain.commands import ApplyProfile, Profile, ProfilePurpose, RateUnit, Rejected, StartSession, StopSession
from app.operations import stations
from app.store.upkeep import StationEventRow

pytestmark = pytest.mark.database

V16, V201 = "ocpp1.6", "ocpp2.0.1"
BOOTS = {
    V16: {"chargePointVendor": "Acme", "chargePointModel": "One"},
    V201: {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "One"}},
}
BROKEN = (OSError, InvalidHandshake, EOFError)


async def test_an_attacker_that_hammers_from_its_own_address_never_locks_the_real_station_out(
    start, park, transactions, pki
):
    async with start(
        host="localhost",
        tls_port=0,
        tls_files=pki.files,
        max_opening_count=40,
        max_opening_per_address_count=20,
        open_timeout_s=30.0,
    ) as central:
        silent = [
            await asyncio.open_connection("localhost", port)
            for port in [central.port, central.tls_port]
            for _ in range(60)
        ]

        async def guess():
            while True:
                try:
                    async with plugged(central.port, "cp16", V16, authorization=basic("cp16", b"wrong")):
                        pass
                except BROKEN:
                    await asyncio.sleep(0)

        guessing = [asyncio.create_task(guess()) for _ in range(3)]
        try:
            while central.counts["handshake_too_often"] < 5:  # noqa: ASYNC110 - counts signal nothing
                await asyncio.sleep(0.01)
            for _ in range(3):
                async with plugged(central.port, "cp16", V16) as charger:
                    assert "currentTime" in await charger.call("Heartbeat", {})
                async with plugged(central.tls_port, "cp16", V16, ssl=pki.client()) as charger:
                    assert "currentTime" in await charger.call("Heartbeat", {})
        finally:
            for each in guessing:
                each.cancel()
            await asyncio.gather(*guessing, return_exceptions=True)
            for _, writer in silent:
                writer.close()
    async with transactions() as tx:
        query = select(StationEventRow).where(StationEventRow.station_id == "cp16")
        (found,) = [row for row in await tx.session.scalars(query) if row.kind == "security"]
        assert found.name == "wrong_key"
        assert found.detail["attempt_count"] >= 5


@pytest.mark.ocpp("2.0.1", "BootNotification", "TriggerMessage", "Heartbeat")
async def test_a_2_0_1_station_that_is_not_commissioned_hears_pending_then_security_error_b01_fr_10_b02(
    start, park, transactions, bus
):
    async with transactions() as tx:
        await add_station(tx, "new", dialect=V201, connection_id=None, needs_boot=True, is_commissioned=False)
    async with start(boot_wait_s=60.0) as central, plugged(central.port, "new", V201) as charger:
        assert "currentTime" in await charger.call("Heartbeat", {}), "no SecurityError before the answer to a boot"
        assert (await charger.call("BootNotification", BOOTS[V201]))["status"] == "Pending"
        assert await charger.refused("Heartbeat", {}) == "SecurityError"
        assert (await charger.call("BootNotification", BOOTS[V201]))["status"] == "Pending"
        for command in (START, STOP, APPLY):
            assert isinstance(await bus.ask(station_command("new"), command, 5), Rejected)
        await commission(transactions)
        assert (await charger.call("BootNotification", BOOTS[V201]))["status"] == "Accepted"
        assert "currentTime" in await charger.call("Heartbeat", {})


@pytest.mark.ocpp("1.6", "BootNotification", "RemoteStartTransaction", "RemoteStopTransaction")
async def test_a_1_6_station_that_is_not_commissioned_is_answered_and_neither_started_nor_stopped_1_6_4_2(
    start, park, transactions, bus
):
    async with transactions() as tx:
        await add_station(tx, "new", dialect=V16, connection_id=None, needs_boot=True, is_commissioned=False)
    async with start(boot_wait_s=60.0) as central, plugged(central.port, "new", V16) as charger:
        assert (await charger.call("BootNotification", BOOTS[V16]))["status"] == "Pending"
        assert "currentTime" in await charger.call("Heartbeat", {}), "1.6 has no SecurityError for it"
        for command in (START, STOP, APPLY):
            assert isinstance(await bus.ask(station_command("new"), command, 5), Rejected)
        assert charger.calls == []
        await commission(transactions)
        assert (await charger.call("BootNotification", BOOTS[V16]))["status"] == "Accepted"
        await charger.heard("SetChargingProfile")


START = StartSession(1, "CARD-1", 7)
STOP = StopSession("7")
APPLY = ApplyProfile(1, Profile(1, ProfilePurpose.DEFAULT, 0, RateUnit.A, ()))


async def commission(transactions):
    async with transactions() as tx:
        await stations.change(tx, "new", {"is_commissioned": True})


@pytest.mark.parametrize(("identity", "dialect"), [("cp16", V16), ("cp201", V201)])
async def test_a_removed_station_is_hung_up_on_and_not_let_in_again(start, park, transactions, identity, dialect):
    async with start() as central:
        async with plugged(central.port, identity, dialect) as charger:
            await charger.call("Heartbeat", {})
            async with transactions() as tx:
                await stations.remove(tx, identity)
            async with asyncio.timeout(TIMEOUT_S):
                assert (await charger.closed())[0] == 1008
        with pytest.raises(InvalidStatus, match="401"):
            async with plugged(central.port, identity, dialect):
                pass
