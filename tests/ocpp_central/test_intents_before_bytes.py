"""R1 and R10: whatever sends a profile or may lose one, its books are committed before the first byte has left.

The spy sits in the station: while a call waits for its answer, another connection reads what the database knows.
"""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest
from charger import plugged
from rows import CARD
from sqlalchemy import select, update

from app.bus.subjects import station_command, station_orders
from app.domain.commands import ClearProfile, Reboot, StartSession
from app.domain.errors import DatabaseUnavailable, StationOffline
from app.domain.raw import RawCall
from app.operations import limits, station_commands
from app.store.plan import DesiredLimitRow, LimitRow, PlanRow
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.station import EvseRow

pytestmark = pytest.mark.database

IDENTITY, V16 = "cp16", "ocpp1.6"
SAFE_W, W_PER_A = 1200.0, 200.0
START = {"connectorId": 1, "idTag": CARD, "meterStart": 0}


class Spy:
    """A 1.6 station that leaves calls unanswered until the test has looked at the books."""

    def __init__(self, charger, transactions, bus, clock):
        self.charger, self.transactions, self.bus, self.clock = charger, transactions, bus, clock

    async def plug_in(self):
        await self.charger.call("StartTransaction", START | {"timestamp": self.clock.at.isoformat()})

    async def held(self, action, count=1):
        """Return the payload of a call that waits for its answer."""
        return (await self.charger.heard(action, count))[-1]

    async def let_go(self, status="Accepted"):
        message_id, _ = self.charger.unanswered.pop()
        await self.charger.send([3, message_id, {"status": status}])

    async def entries(self):
        async with self.transactions() as tx:
            return list(await tx.session.scalars(select(LimitRow).order_by(LimitRow.order_no)))

    async def proven(self):
        async with self.transactions() as tx:
            query = select(EvseRow.default_verified_at).where(EvseRow.station_id == IDENTITY)
            return [at is not None for at in await tx.session.scalars(query)]

    async def allocate(self, power_w):
        """Want a power at the running session, and have the limit loop run once."""
        async with self.transactions() as tx:
            session = (await tx.session.scalars(select(SessionRow))).one()
            plan_id = uuid.uuid4()
            made = {"made_at": tx.now, "body": "{}", "inputs": "{}"}
            tx.session.add(PlanRow(plan_id=plan_id, site_id="north", revision=1, **made))
            await tx.session.flush()
            desired = {"evse_id": session.evse_id, "session_id": session.session_id, "plan_id": plan_id}
            await tx.session.merge(DesiredLimitRow(target_w=power_w, **desired))
        async with self.transactions() as tx:
            await limits.allocate_site(tx, "north")

    async def command(self, command):
        """Send a typed command as the API does: gate, bus."""
        async with self.transactions() as tx:
            await station_commands.prepare(tx, IDENTITY, command)
        return await self.bus.ask(station_command(IDENTITY), command, 10.0)


@pytest.fixture
def spy(start, park, transactions, bus, clock):
    @asynccontextmanager
    async def opened():
        async with transactions() as tx:
            await tx.session.execute(update(SiteRow).values(limit_w=100_000.0))
        async with start() as central, plugged(central.port, IDENTITY, V16) as charger:
            await charger.call("Heartbeat", {})
            yield Spy(charger, transactions, bus, clock)

    return opened


def limit_w(profile):
    """The highest limit of a profile, in W."""
    return max(each["limit"] for each in profile["chargingSchedule"]["chargingSchedulePeriod"]) * W_PER_A


def profile(purpose, limit_a):
    return {
        "chargingProfileId": 11,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "startSchedule": "2020-01-01T00:00:00Z",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
        },
    }


async def test_a_lease_of_the_allocator_is_an_entry_that_was_taken_before_its_bytes_leave(spy):
    async with spy() as it:
        await it.plug_in()
        it.charger.answers["SetChargingProfile"] = None
        await it.allocate(5000.0)
        sent = (await it.held("SetChargingProfile"))["csChargingProfiles"]
        (row,) = await it.entries()
        assert limit_w(sent) <= row.power_w
        assert row.taken_at is not None
        assert row.outcome is None
        await it.let_go()


@pytest.mark.parametrize(
    "action", ["SetChargingProfile", "RemoteStartTransaction"], ids=["a profile", "a remote start with a profile"]
)
async def test_an_experts_profile_of_a_session_is_an_entry_before_its_bytes_leave(spy, action):
    async with spy() as it:
        await it.plug_in()
        it.charger.answers[action] = None
        key = "csChargingProfiles" if action == "SetChargingProfile" else "chargingProfile"
        who = {"connectorId": 1} | ({} if action == "SetChargingProfile" else {"idTag": CARD})
        call = RawCall(action, who | {key: profile("TxProfile", 20.0)})
        asking = asyncio.create_task(it.bus.ask(station_command(IDENTITY), call, 10.0))
        await it.held(action)
        (row,) = await it.entries()
        assert (row.power_w, row.taken_at is not None, row.outcome) == (4000.0, True, None)
        await it.let_go()
        await asking


@pytest.mark.parametrize("purpose", ["TxDefaultProfile", "ChargePointMaxProfile"])
async def test_an_experts_standing_profile_costs_the_proof_before_its_bytes_leave(spy, purpose):
    async with spy() as it:
        it.charger.answers["SetChargingProfile"] = None
        payload = {"connectorId": 0, "csChargingProfiles": profile(purpose, 20.0)}
        asking = asyncio.create_task(
            it.bus.ask(station_command(IDENTITY), RawCall("SetChargingProfile", payload), 10.0)
        )
        await it.held("SetChargingProfile")
        assert await it.proven() == [False, False]
        it.charger.answers["SetChargingProfile"] = {"status": "Accepted"}
        await it.let_go()
        await asking


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (ClearProfile(), "ClearChargingProfile"),
        (Reboot(), "Reset"),
        (RawCall("Reset", {"type": "Hard"}), "Reset"),
        (RawCall("ClearChargingProfile", {}), "ClearChargingProfile"),
        (RawCall("DataTransfer", {"vendorId": "v"}), "DataTransfer"),
        (
            RawCall("UpdateFirmware", {"location": "ftp://x", "retrieveDate": "2026-04-01T00:00:00Z"}),
            "UpdateFirmware",
        ),
    ],
    ids=["clear-profiles", "reset", "raw Reset", "raw ClearChargingProfile", "raw DataTransfer", "raw UpdateFirmware"],
)
async def test_what_may_lose_profiles_costs_the_proof_before_its_bytes_leave(spy, command, action):
    async with spy() as it:
        it.charger.answers[action] = None
        is_raw = isinstance(command, RawCall)
        asked = it.bus.ask(station_command(IDENTITY), command, 10.0) if is_raw else it.command(command)
        asking = asyncio.create_task(asked)
        await it.held(action)
        assert await it.proven() == [False, False]
        message_id, _ = it.charger.unanswered.pop()
        await it.charger.send([3, message_id, {} if action == "UpdateFirmware" else {"status": "Accepted"}])
        await asking


async def test_a_remote_start_of_ours_brings_no_profile(spy):
    async with spy() as it:
        await it.command(StartSession(1, CARD, 7))
        assert "chargingProfile" not in (await it.charger.heard("RemoteStartTransaction"))[0]


async def test_without_a_database_nothing_of_a_profile_leaves(spy, transactions):
    async with spy() as it:
        await it.plug_in()
        await it.allocate(5000.0)
        await it.charger.heard("SetChargingProfile")
        before = len(it.charger.calls)
        transactions.is_down = True
        it.bus.ring(station_orders(IDENTITY))
        call = RawCall("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile("TxProfile", 20.0)})
        with pytest.raises((DatabaseUnavailable, StationOffline)):
            await it.bus.ask(station_command(IDENTITY), call, 10.0)
        assert [action for action, _ in it.charger.calls[before:] if "Profile" in action] == []
        transactions.is_down = False
