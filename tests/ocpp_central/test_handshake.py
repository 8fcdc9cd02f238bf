import asyncio
import base64

import pytest
from charger import TIMEOUT_S, basic, plugged
from rows import KEY, add_station
from websockets.exceptions import InvalidStatus

from app.bus.subjects import station_command
from app.domain.commands import Reboot
from app.domain.errors import StationOffline
from app.ocpp_central.handshake import FailureLimit, credentials_of, identity_of
from app.store.station import StationRow, StrangerRow

V16, V201 = "ocpp1.6", "ocpp2.0.1"


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/cp1", "cp1"),
        ("/cp1", "cp1"),
        ("/any/prefix/at/all/cp1/", "cp1"),
        ("/ocpp/cp1?token=x", "cp1"),
        ("/ocpp/RDAM%20123", "RDAM 123"),
        ("/ocpp/a%2541", "a%41"),
        ("/ocpp/%E5%85%85", "充"),
        ("/ocpp/" + "x" * 48, "x" * 48),
    ],
)
def test_the_identity_is_the_last_path_segment_decoded_once_1_6j_3_1_1(path, identity):
    assert identity_of(path) == identity


@pytest.mark.parametrize(
    "path",
    ["/", "", "//", "/ocpp//", "/ocpp/a%2Fb", "/ocpp/a%3Ab", "/ocpp/a%0Ab", "/ocpp/%zz", "/ocpp/%FF", "/" + "x" * 49],
)
def test_what_cannot_be_an_identity_is_none(path):
    assert identity_of(path) is None


def test_the_key_is_everything_behind_the_first_colon_as_bytes_a00_fr_204():
    key = b"\xff:a:\x00"
    found = credentials_of([basic("cp1", key)], "cp1")
    assert found.is_sound
    assert found.key == key


@pytest.mark.parametrize(
    "header",
    [
        basic("other", KEY),
        basic("cp1", b"k" * 65),
        "Basic !!!",
        "Basic " + base64.b64encode(b"cp1").decode(),
        "Bearer abc",
        "",
    ],
)
def test_unsound_credentials_are_never_asked_with_a_key(header):
    found = credentials_of([header], "cp1")
    assert not found.is_sound
    assert found.key is None


def test_only_failures_are_limited_and_success_forgets_them():
    limit = FailureLimit(limit_count=2, window_s=60)
    assert [limit.failed("a", "cp1", at_s) for at_s in (0, 1, 2)] == [False, False, True]
    assert not limit.failed("b", "cp1", 2)
    limit.admitted("a", "cp1")
    assert not limit.failed("a", "cp1", 3)
    assert [limit.failed("a", "cp2", at_s) for at_s in (0, 61, 122, 183)] == [False] * 4


@pytest.mark.database
async def test_a_wrong_key_and_an_unknown_station_get_the_same_answer(start, park, transactions):
    async with start() as central:
        answers = []
        for identity, authorization in (("cp16", basic("cp16", b"wrong")), ("nobody", ""), ("cp16", None)):
            with pytest.raises(InvalidStatus) as refused:
                async with plugged(central.port, identity, V16, authorization=authorization):
                    pass
            response = refused.value.response
            answers.append((response.status_code, bytes(response.body), response.headers["WWW-Authenticate"]))
        assert answers[0][0] == 401
        assert len(set(answers)) == 1
    async with transactions() as tx:
        assert await tx.session.get(StrangerRow, "nobody") is not None


@pytest.mark.database
async def test_a_user_that_is_not_the_identity_is_refused_even_without_security_profile_a00_fr_204(
    start, park, transactions
):
    async with transactions() as tx:
        await add_station(tx, "open", dialect=V16, security_profile=0, connection_id=None)
    async with start() as central:
        async with plugged(central.port, "open", V16, authorization=None) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})
        with pytest.raises(InvalidStatus, match="401"):
            async with plugged(central.port, "open", V16, authorization=basic("cp16", KEY)):
                pass


@pytest.mark.database
async def test_a_key_sent_as_hexadecimal_text_is_accepted(start, park):
    async with (
        start() as central,
        plugged(central.port, "cp16", V16, authorization=basic("cp16", KEY.hex().encode())) as charger,
    ):
        assert "currentTime" in await charger.call("Heartbeat", {})


@pytest.mark.database
async def test_a_path_without_an_identity_is_not_found(start, park):
    async with start() as central:
        with pytest.raises(InvalidStatus, match="404"):
            async with plugged(central.port, "cp16", V16, path="/"):
                pass


@pytest.mark.database
async def test_too_many_wrong_keys_are_told_to_wait_but_the_right_one_gets_in(start, park):
    async with start() as central:
        codes = []
        for _ in range(5):
            with pytest.raises(InvalidStatus) as refused:
                async with plugged(central.port, "cp16", V16, authorization=basic("cp16", b"wrong")):
                    pass
            codes.append(refused.value.response.status_code)
        assert codes == [401, 401, 401, 429, 429]
        async with plugged(central.port, "cp16", V16) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})


@pytest.mark.database
async def test_too_many_connections_are_turned_away(start, park):
    async with start(max_connection_count=1) as central, plugged(central.port, "cp16", V16):
        with pytest.raises(InvalidStatus, match="503"):
            async with plugged(central.port, "cp201", V201):
                pass


@pytest.mark.database
async def test_without_a_database_handshakes_get_503(start, park, transactions):
    async with start() as central:
        transactions.is_down = True
        with pytest.raises(InvalidStatus, match="503"):
            async with plugged(central.port, "cp16", V16):
                pass
        transactions.is_down = False
        async with plugged(central.port, "cp16", V16) as charger:
            assert "currentTime" in await charger.call("Heartbeat", {})


@pytest.mark.database
async def test_the_provisioned_dialect_is_spoken_1_6j_3_2(start, park, transactions):
    async with transactions() as tx:
        await add_station(tx, "free", dialect=None, connection_id=None)
    async with start() as central:
        for identity, offered, spoken in (
            ("cp16", [V201, V16], V16),
            ("cp16", [], None),
            ("cp201", [V16, V201], V201),
            ("free", [V16, V201], V16),
            ("free", ["ocpp2.1", V201], V201),
        ):
            async with plugged(central.port, identity, *offered) as charger:
                assert charger.socket.subprotocol == spoken
                assert "currentTime" in await charger.call("Heartbeat", {})


@pytest.mark.database
async def test_without_a_common_subprotocol_the_handshake_completes_then_closes_1_6j_3_2(start, park, transactions):
    async with transactions() as tx:
        await add_station(tx, "free", dialect=None, connection_id=None)
    async with start() as central:
        for identity, offered, reason in (
            ("cp16", ["ocpp1.5"], "provisioned for ocpp1.6"),
            ("cp201", [V16], "provisioned for ocpp2.0.1"),
            ("cp201", [], "provisioned for ocpp2.0.1"),
            ("free", [], "no common subprotocol"),
        ):
            async with plugged(central.port, identity, *offered) as charger:
                assert charger.socket.subprotocol is None
                code, why = await charger.closed()
                assert code == 1002
                assert reason in why


@pytest.mark.database
async def test_deflate_is_negotiated_for_2_0_1_only(start, park):
    async with (
        start() as central,
        plugged(central.port, "cp201", V201, compression="deflate") as new,
        plugged(central.port, "cp16", V16, compression="deflate") as old,
    ):
        assert [each.name for each in new.socket.protocol.extensions] == ["permessage-deflate"]
        assert old.socket.protocol.extensions == []
        assert "currentTime" in await new.call("Heartbeat", {})


@pytest.mark.database
async def test_the_newest_socket_wins_at_once_and_the_late_end_of_the_old_one_changes_nothing(
    start, park, transactions
):
    async with start() as central, plugged(central.port, "cp16", V16) as old:
        await old.call("Heartbeat", {})
        async with plugged(central.port, "cp16", V16) as new:
            assert "currentTime" in await new.call("Heartbeat", {})
            assert (await old.closed())[1] == "replaced by a newer connection"
            await asyncio.sleep(0.2)
            async with transactions() as tx:
                assert (await tx.session.get_one(StationRow, "cp16")).connection_id is not None
            assert "currentTime" in await new.call("Heartbeat", {})
        async with asyncio.timeout(TIMEOUT_S):
            while await _connection_id(transactions) is not None:  # noqa: ASYNC110 - rows signal nothing
                await asyncio.sleep(0.01)


async def _connection_id(transactions) -> str | None:
    async with transactions() as tx:
        return (await tx.session.get_one(StationRow, "cp16")).connection_id


@pytest.mark.database
async def test_everything_pending_fails_at_once_on_hang_up(start, park, bus):
    async with start(call_timeout_s=60.0) as central:
        async with plugged(central.port, "cp16", V16) as charger:
            charger.answers["Reset"] = None
            await charger.call("Heartbeat", {})
            ask = asyncio.create_task(bus.ask(station_command("cp16"), Reboot(), 60))
            await charger.heard("Reset")
            waiting = asyncio.create_task(bus.ask(station_command("cp16"), Reboot(), 60))
            await asyncio.sleep(0.05)
            charger.socket.transport.abort()
            for each in (ask, waiting):
                with pytest.raises(StationOffline):
                    await asyncio.wait_for(each, 2)
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                try:
                    await bus.ask(station_command("cp16"), Reboot(), 1)
                except StationOffline:
                    break


@pytest.mark.database
async def test_a_command_that_waits_for_a_boot_fails_at_once_on_hang_up(start, park, transactions, bus):
    async with transactions() as tx:
        await add_station(tx, "fresh", dialect=V16, connection_id=None, needs_boot=True)
    async with start(boot_wait_s=60.0) as central, plugged(central.port, "fresh", V16) as charger:
        await charger.call("Heartbeat", {})
        ask = asyncio.create_task(bus.ask(station_command("fresh"), Reboot(), 60))
        await asyncio.sleep(0.05)
        charger.socket.transport.abort()
        with pytest.raises(StationOffline):
            await asyncio.wait_for(ask, 2)
