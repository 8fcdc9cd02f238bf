"""The raw door against a real central: what is sent, what is not, and what the limit ledger knows of it."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from charger import TIMEOUT_S, plugged
from sqlalchemy import select, update

from app.bus.subjects import station_command
from app.domain.commands import Accepted
from app.domain.errors import CommandRefused, Invalid, NotFound, StationFault, StationOffline, StationTimeout
from app.domain.raw import RawCall
from app.operations import limits
from app.scheduling.ledger import possible_w
from app.scheduling.orders import ledgers_of
from app.store.plan import LimitRow
from app.store.session import SessionRow
from app.store.site import SiteRow
from app.store.specs import entry_of, read_site, site_spec
from app.store.station import EvseRow, StationRow

pytestmark = pytest.mark.database

STANDING = "2020-01-01T00:00:00Z"
SAFE_W, NAMEPLATE_W = 1200.0, 6400.0


class Words16:
    """How OCPP 1.6 says it."""

    identity, subprotocol = "cp16", "ocpp1.6"
    harmless = RawCall("ClearCache", {})
    reset = RawCall("Reset", {"type": "Soft"})
    faulty = (RawCall("Reset", {"type": "Sideways"}), "type")
    incomplete = (RawCall("Reset", {}), "type")
    forbidden = RawCall("ChangeConfiguration", {"key": "AuthorizationKey", "value": "swordfish"})
    start = RawCall("RemoteStartTransaction", {"idTag": "CARD-1"})

    @staticmethod
    def profile(limit, purpose="TxProfile", level=0, evse_number=1, unit="A"):
        periods = [{"startPeriod": 0, "limit": limit}]
        schedule = {"chargingRateUnit": unit, "chargingSchedulePeriod": periods, "startSchedule": STANDING}
        profile = {
            "chargingProfileId": evse_number * 10 + 1,
            "stackLevel": level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": schedule,
        }
        return RawCall("SetChargingProfile", {"connectorId": evse_number, "csChargingProfiles": profile})

    @staticmethod
    async def plug_in(charger, now):
        message = {"connectorId": 1, "idTag": "CARD-1", "meterStart": 0, "timestamp": now}
        await charger.call("StartTransaction", message)

    @classmethod
    def start_with(cls, limit):
        profile = cls.profile(limit).payload["csChargingProfiles"]
        return RawCall(cls.start.action, cls.start.payload | {"chargingProfile": profile})

    @staticmethod
    def limit_of(payload):
        return payload["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"]


class Words201:
    """How OCPP 2.0.1 says it."""

    identity, subprotocol = "cp201", "ocpp2.0.1"
    harmless = RawCall("ClearCache", {})
    reset = RawCall("Reset", {"type": "OnIdle"})
    faulty = (RawCall("Reset", {"type": "Sideways"}), "type")
    incomplete = (RawCall("Reset", {}), "type")
    forbidden = RawCall(
        "SetVariables",
        {
            "setVariableData": [
                {
                    "attributeValue": "swordfish",
                    "component": {"name": "SecurityCtrlr"},
                    "variable": {"name": "BasicAuthPassword"},
                }
            ]
        },
    )
    start = RawCall(
        "RequestStartTransaction", {"remoteStartId": 1, "idToken": {"idToken": "CARD-1", "type": "Central"}}
    )

    @staticmethod
    def profile(limit, purpose="TxProfile", level=0, evse_number=1, unit="A"):
        periods = [{"startPeriod": 0, "limit": limit}]
        schedule = {"id": 1, "chargingRateUnit": unit, "chargingSchedulePeriod": periods, "startSchedule": STANDING}
        profile = {
            "id": evse_number * 10 + 1,
            "stackLevel": level,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [schedule],
        }
        return RawCall("SetChargingProfile", {"evseId": evse_number, "chargingProfile": profile})

    @staticmethod
    async def plug_in(charger, now):
        message = {
            "eventType": "Started",
            "timestamp": now,
            "triggerReason": "CablePluggedIn",
            "seqNo": 0,
            "transactionInfo": {"transactionId": "t1"},
            "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "CARD-1", "type": "ISO14443"},
        }
        await charger.call("TransactionEvent", message)

    @classmethod
    def start_with(cls, limit):
        profile = cls.profile(limit).payload["chargingProfile"]
        return RawCall(cls.start.action, cls.start.payload | {"chargingProfile": profile})

    @staticmethod
    def limit_of(payload):
        return payload["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"]


@pytest.fixture(params=[Words16, Words201], ids=["1.6", "2.0.1"])
def words(request):
    return request.param


class Door:
    """A station of either dialect with a car at EVSE 1, and the way to its raw door."""

    def __init__(self, words, charger, transactions, bus, clock):
        self.words = words
        self.charger = charger
        self.transactions = transactions
        self.bus = bus
        self.clock = clock

    async def ask(self, call, timeout_s=TIMEOUT_S):
        return (await self.bus.ask(station_command(self.words.identity), call, timeout_s)).payload

    def sent(self, action="SetChargingProfile"):
        return [payload for each, payload in self.charger.calls if each == action]

    async def rows(self):
        async with self.transactions() as tx:
            return list(await tx.session.scalars(select(LimitRow).order_by(LimitRow.order_no)))

    async def possible_w(self, evse_number=1):
        """What the ledger counts at an EVSE of this station."""
        async with self.transactions() as tx:
            site_row, pairs = await read_site(tx.session, "north")
            entries = [entry_of(row) for row in await limits.open_limits(tx.session, "north")]
            (spec,) = [
                spec for _, spec in pairs if (spec.station_id, spec.evse_number) == (self.words.identity, evse_number)
            ]
            settle = site_spec(site_row).settle
            return possible_w(ledgers_of([spec], entries, tx.now, settle)[spec.evse_id], tx.now, settle)

    async def verified(self):
        async with self.transactions() as tx:
            query = select(EvseRow).where(EvseRow.station_id == self.words.identity).order_by(EvseRow.evse_number)
            return [row.default_verified_at is not None for row in await tx.session.scalars(query)]


@pytest.fixture
def door(words, start, park, transactions, bus, clock):
    """Open the door of a station at a site where beside all safe powers `room_w` are left."""

    @asynccontextmanager
    async def opened(room_w=3000.0, **options):
        async with transactions() as tx:
            await tx.session.execute(update(SiteRow).values(limit_w=4 * SAFE_W + room_w))
        async with start(**options) as central, plugged(central.port, words.identity, words.subprotocol) as charger:
            await words.plug_in(charger, clock.at.isoformat())
            yield Door(words, charger, transactions, bus, clock)

    return opened


@pytest.mark.ocpp("1.6", "ClearCache")
@pytest.mark.ocpp("2.0.1", "ClearCache")
async def test_the_reply_comes_back_exactly_as_the_station_sent_it(door):
    async with door() as it:
        reply = {"status": "Accepted", "customData": {"vendorId": "v", "more": [1, 2.5, None]}}
        it.charger.answers["ClearCache"] = reply
        assert await it.ask(it.words.harmless) == reply
        assert it.sent("ClearCache") == [{}]
        assert await it.verified() == [True, True]


async def test_a_payload_that_the_schema_refuses_names_the_field_and_is_not_sent(door):
    async with door() as it:
        for call, field in (it.words.faulty, it.words.incomplete):
            with pytest.raises(Invalid) as refused:
                await it.ask(call)
            assert refused.value.field == field
        with pytest.raises(NotFound):
            await it.ask(RawCall("MakeCoffee", {}))
        assert it.sent("Reset") == []


async def test_what_nobody_has_classified_is_refused(door):
    """A station's own message is known to the schemas, but no central system sends it."""
    async with door() as it:
        with pytest.raises(CommandRefused):
            await it.ask(RawCall("Heartbeat", {}))
        assert it.sent("Heartbeat") == []


async def test_how_the_station_logs_in_is_not_changed_through_the_raw_door(door):
    async with door() as it:
        with pytest.raises(CommandRefused) as refused:
            await it.ask(it.words.forbidden)
        assert "swordfish" not in refused.value.detail
        assert it.sent(it.words.forbidden.action) == []


async def test_a_callerror_is_a_fault_with_the_stations_own_code(door):
    async with door() as it:
        it.charger.errors["ClearCache"] = "NotSupported"
        with pytest.raises(StationFault) as fault:
            await it.ask(it.words.harmless)
        assert fault.value.error_code == "NotSupported"


@pytest.mark.ocpp("1.6", "SetChargingProfile")
@pytest.mark.ocpp("2.0.1", "SetChargingProfile")
async def test_r3_raising_beyond_the_room_is_refused_and_nothing_is_sent(door):
    async with door(room_w=3000.0) as it:
        with pytest.raises(CommandRefused) as refused:
            await it.ask(it.words.profile(22.0))
        assert refused.value.missing_w == pytest.approx(200.0)
        assert "0.20 kW" in refused.value.detail
        assert it.sent() == []
        assert await it.rows() == []


async def test_r1_raising_within_the_room_is_written_before_it_is_sent(door):
    async with door(room_w=3000.0) as it:
        held = it.charger.answers["SetChargingProfile"] = None
        asking = asyncio.create_task(it.ask(it.words.profile(21.0)))
        await it.charger.heard("SetChargingProfile")
        (row,) = await it.rows()
        assert (row.power_w, row.reason, row.outcome) == (4200.0, "raw", held)
        ((message_id, _),) = it.charger.unanswered
        await it.charger.send([3, message_id, {"status": "Accepted"}])
        assert await asking == {"status": "Accepted"}
        (row,) = await it.rows()
        assert row.outcome == "accepted"


async def test_a_raise_is_counted_until_our_next_lease_is_accepted(door):
    async with door(room_w=3000.0) as it:
        await it.ask(it.words.profile(21.0))
        it.clock.advance(hours=5)
        assert await it.possible_w() == 4200.0
        async with it.transactions() as tx:
            session = (await tx.session.scalars(select(SessionRow))).one()
            evse_id, session_id, now = session.evse_id, session.session_id, tx.now
            lease = LimitRow(
                evse_id=evse_id,
                session_id=session_id,
                power_w=2000.0,
                reason="lower",
                intended_at=now,
                ends_at=now + timedelta(minutes=10),
                taken_at=now,
                is_closed=False,
            )
            tx.session.add(lease)
            await tx.session.flush()
            order_no = lease.order_no
        async with it.transactions() as tx:
            await limits.record_outcome(tx, order_no, Accepted())
        it.clock.advance(seconds=11)
        assert await it.possible_w() == 4200.0
        it.clock.advance(seconds=1)
        assert await it.possible_w() == 2000.0


async def test_r5_a_refusal_frees_what_it_counted_and_an_error_frees_nothing(door):
    async with door(room_w=3000.0) as it:
        it.charger.answers["SetChargingProfile"] = {"status": "Rejected"}
        assert await it.ask(it.words.profile(21.0)) == {"status": "Rejected"}
        assert await it.possible_w() == SAFE_W
        it.charger.errors["SetChargingProfile"] = "InternalError"
        with pytest.raises(StationFault):
            await it.ask(it.words.profile(20.0))
        assert await it.possible_w() == 4000.0
        assert [row.outcome for row in await it.rows()] == ["refused", "unknown"]


async def test_r5_a_late_answer_still_reaches_the_ledger(door):
    async with door(room_w=3000.0, call_timeout_s=0.3) as it:
        it.charger.answers["SetChargingProfile"] = None
        with pytest.raises(StationTimeout):
            await it.ask(it.words.profile(21.0))
        ((message_id, _),) = it.charger.unanswered
        await it.charger.send([3, message_id, {"status": "Accepted"}])
        async with asyncio.timeout(TIMEOUT_S):
            while [row.outcome for row in await it.rows()] != ["accepted"]:  # noqa: ASYNC110 - rows signal nothing
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("where", ["another stack level", "no session"])
async def test_what_no_lease_would_replace_may_allow_the_safe_power_and_no_more(door, where):
    more = {"level": 3} if where == "another stack level" else {"evse_number": 2}
    async with door(room_w=20_000.0) as it:
        with pytest.raises(CommandRefused):
            await it.ask(it.words.profile(6.1, **more))
        assert it.sent() == []
        await it.ask(it.words.profile(6.0, **more))
        assert [it.words.limit_of(payload) for payload in it.sent()] == [6.0]
        assert await it.rows() == []


async def test_a_default_profile_needs_the_room_for_the_nameplate_and_costs_the_proof(door):
    async with door(room_w=NAMEPLATE_W - SAFE_W - 1) as it:
        with pytest.raises(CommandRefused) as refused:
            await it.ask(it.words.profile(6.0, purpose="TxDefaultProfile"))
        assert refused.value.missing_w == pytest.approx(1.0)
        assert it.sent() == []
        assert await it.verified() == [True, True]


async def test_a_default_profile_that_fits_is_sent_unproven_and_proven_again_after_it(door):
    async with door(room_w=NAMEPLATE_W) as it:
        seen = []

        def answer(payload):
            asyncio.get_running_loop().create_task(look())
            return {"status": "Accepted"}

        async def look():
            seen.append(await it.verified())

        it.charger.answers["GetCompositeSchedule"] = {"status": "Rejected"}
        it.charger.answers["SetChargingProfile"] = answer
        await it.ask(it.words.profile(8.0, purpose="TxDefaultProfile"))
        sent = await it.charger.heard("SetChargingProfile", 2)
        assert [it.words.limit_of(payload) for payload in sent[:2]] == [8.0, 6.0]
        assert seen[0] == [False, True]


@pytest.mark.ocpp("1.6", "Reset")
@pytest.mark.ocpp("2.0.1", "Reset")
async def test_r10_a_reset_costs_the_proof_before_it_is_sent(door):
    async with door() as it:
        it.charger.answers["Reset"] = None
        asking = asyncio.create_task(it.ask(it.words.reset))
        await it.charger.heard("Reset")
        assert await it.verified() == [False, False]
        await it.charger.socket.close()
        with pytest.raises(StationOffline):
            await asking
        assert await it.verified() == [False, False]


@pytest.mark.ocpp("1.6", "RemoteStartTransaction")
@pytest.mark.ocpp("2.0.1", "RequestStartTransaction")
async def test_a_remote_start_may_bring_a_profile_up_to_the_safe_power(door):
    async with door(room_w=20_000.0) as it:
        await it.ask(it.words.start)
        await it.ask(it.words.start_with(6.0))
        with pytest.raises(CommandRefused):
            await it.ask(it.words.start_with(16.0))
        assert len(it.sent(it.words.start.action)) == 2


async def test_a_station_that_waits_for_its_boot_gets_no_profile(words, start, park, transactions, bus):
    async with transactions() as tx:
        await tx.session.execute(update(StationRow).values(needs_boot=True, is_commissioned=False))
    async with start(boot_wait_s=30.0) as central, plugged(central.port, words.identity, words.subprotocol) as charger:
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        if words is Words201:
            boot = {"reason": "PowerUp", "chargingStation": {"vendorName": "V", "model": "M"}}
        assert (await charger.call("BootNotification", boot))["status"] == "Pending"
        ask = station_command(words.identity)
        with pytest.raises(CommandRefused):
            await bus.ask(ask, words.profile(6.0), TIMEOUT_S)
        assert (await bus.ask(ask, words.harmless, TIMEOUT_S)).payload == {"status": "Accepted"}
