"""Handshakes: what knocks at the port, byte for byte (OCPP 1.6J §3, OCPP 2.0.1 part 4 §3, security whitepaper A00)."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from cases import V16, V201, Closed
from charger import basic
from rows import KEY


@dataclass(frozen=True)
class Http:
    """An HTTP answer instead of a WebSocket; in it a challenge where it is 401.

    `finding` is the security event that it leaves at the station whose identity was used; empty: none.
    """

    status: int
    finding: str = ""


@dataclass(frozen=True)
class Welcome:
    """The connection opens, and a heartbeat is answered."""


@dataclass(frozen=True)
class Dropped:
    """The connection is closed without any answer."""


@dataclass(frozen=True)
class Knock:
    """One case. `request` returns the bytes to send for a provisioned station's identity."""

    name: str
    version: str
    request: Callable[[str], bytes]
    answer: Http | Welcome | Dropped | Closed

    @property
    def title(self) -> str:
        return f"{self.version}: {self.name}"


def lines(*texts: str | bytes) -> bytes:
    return b"".join((text if isinstance(text, bytes) else text.encode("latin-1")) + b"\r\n" for text in texts) + b"\r\n"


def opening(version: str, target: str, *more: str | bytes, **changes: str | None) -> bytes:
    """Return an opening handshake; `changes` replace or remove (None) a header."""
    headers: dict[str, str | None] = {
        "Host": "central",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": f"ocpp{version}",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    spelled = [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return lines(f"GET {target} HTTP/1.1", *spelled, *more)


def own(station_id: str, key: bytes = KEY) -> str:
    return f"Authorization: {basic(station_id, key)}"


NO_KEY, WRONG_KEY, UNSOUND_CREDENTIALS = (
    Http(401, finding) for finding in ("no_key", "wrong_key", "unsound_credentials")
)
Answer = Http | Welcome | Dropped | Closed


def knock(name: str, request: Callable[[str, str], bytes], answer: Answer, *versions: str) -> tuple[Knock, ...]:
    """The same knock for both versions; `request` takes version and identity."""

    def fixed(version: str) -> Callable[[str], bytes]:
        return lambda station_id: request(version, station_id)

    return tuple(Knock(name, version, fixed(version), answer) for version in versions or (V16, V201))


def at_path(name: str, path: str, answer: Answer) -> tuple[Knock, ...]:
    """A knock with the right key at another path, where {id} is the identity."""
    return knock(name, lambda version, me: opening(version, path.replace("{id}", me), own(me)), answer)


def with_headers(name: str, answer: Answer, *headers: str | bytes) -> tuple[Knock, ...]:
    """A knock at the right path with these headers instead of the right key."""
    return knock(name, lambda version, me: opening(version, f"/ocpp/{me}", *headers), answer)


def offering(name: str, offer: str | None, in_16: Answer, in_201: Answer) -> tuple[Knock, ...]:
    """A knock that offers these subprotocols."""

    def request(version: str, me: str) -> bytes:
        return opening(version, f"/ocpp/{me}", own(me), Sec_WebSocket_Protocol=offer)

    return (*knock(name, request, in_16, V16), *knock(name, request, in_201, V201))


def changed(name: str, answer: Answer, **changes: str | None) -> tuple[Knock, ...]:
    return knock(name, lambda version, me: opening(version, f"/ocpp/{me}", own(me), **changes), answer)


def malformed_extension(in_16: Answer, in_201: Answer) -> tuple[Knock, ...]:
    """Only 2.0.1 negotiates an extension, so only there the header is read."""

    def request(version: str, me: str) -> bytes:
        return opening(version, f"/ocpp/{me}", own(me), Sec_WebSocket_Extensions=";;;")

    name = "an extension that is not well-formed"
    return (*knock(name, request, in_16, V16), *knock(name, request, in_201, V201))


def stranger(name: str, identity: str, answer: Answer) -> tuple[Knock, ...]:
    """Somebody else's identity, with a key for it."""
    path = f"/ocpp/{quote(identity, safe='')}"
    return knock(name, lambda version, _: opening(version, path, f"Authorization: {basic(identity, KEY)}"), answer)


def raw(name: str, data: bytes, answer: Answer) -> tuple[Knock, ...]:
    return knock(name, lambda _version, _me: data, answer, V16)


def encoded(data: bytes) -> str:
    return f"Authorization: Basic {base64.b64encode(data).decode()}"


KNOCKS: tuple[Knock, ...] = (
    *at_path("the plain path", "/ocpp/{id}", Welcome()),
    *at_path("no prefix at all", "/{id}", Welcome()),
    *at_path("a long prefix and a trailing slash", "/a/b/c/d/{id}/", Welcome()),
    *at_path("a query with another identity", "/ocpp/{id}?id=/other", Welcome()),
    *at_path("a path traversal that ends in the identity", "/ocpp/../../{id}", Welcome()),
    *at_path("a full URL as the target", "http://elsewhere/ocpp/{id}", Welcome()),
    *at_path("no path", "/", Http(404)),
    *at_path("only slashes", "////", Http(404)),
    *at_path("a path traversal", "/ocpp/{id}/..", Http(401)),
    *at_path("a path traversal in escapes", "/ocpp/..%2F{id}", Http(404)),
    *at_path("a path traversal to a file", "/ocpp/../../../etc/passwd", Http(401)),
    *at_path("an identity encoded twice", "/ocpp/%25{id}", Http(401)),
    *at_path("a NUL behind the identity", "/ocpp/{id}%00", Http(404)),
    *at_path("a line end and a forged log line", "/ocpp/{id}%0D%0A2026-04-01%20admin%20logged%20in", Http(404)),
    *at_path("terminal escapes", "/ocpp/{id}%1B%5B2J%1B%5B31m", Http(404)),
    *at_path("a right-to-left override", "/ocpp/{id}%E2%80%AE", Http(404)),
    *at_path("a blank behind the identity", "/ocpp/{id}%20", Http(401)),
    *at_path("an invisible character in the identity", "/ocpp/{id}%E2%80%8B", Http(404)),
    *at_path("bytes that are not UTF-8", "/ocpp/%FF%FE", Http(404)),
    *at_path("a percent sign of nothing", "/ocpp/{id}%", Http(404)),
    *at_path("a percent sign of no number", "/ocpp/%zz", Http(404)),
    *at_path("a colon in the identity", "/ocpp/{id}%3Ax", Http(404)),
    *at_path("an identity of 49 characters", "/ocpp/" + "x" * 49, Http(404)),
    *at_path("an identity of 5,000 characters", "/ocpp/" + "x" * 5000, Http(404)),
    *at_path("an identity of 10,000 characters", "/ocpp/" + "x" * 10_000, Http(414)),
    *at_path("a fragment", "/ocpp/{id}#x", Http(401)),
    *stranger("an unknown identity", "nobody", Http(401)),
    *stranger("an identity in SQL", "x'; DROP TABLE station; --", Http(401)),
    *stranger("an identity in format directives", "%s%n{0}${jndi}", Http(401)),
    *stranger("a prototype's identity", "__proto__", Http(401)),
    *stranger("an identity in HTML", "<script>alert(1)<script>", Http(401)),
    *stranger("an identity of 48 emoji", "😀" * 48, Http(401)),
    *stranger("a lone dot", ".", Http(401)),
    *with_headers("no Authorization", NO_KEY),
    *with_headers("an empty Authorization", UNSOUND_CREDENTIALS, "Authorization:"),
    *with_headers("another scheme", UNSOUND_CREDENTIALS, "Authorization: Bearer abc"),
    *with_headers("Basic of nothing", UNSOUND_CREDENTIALS, "Authorization: Basic"),
    *with_headers("Basic that is not base64", UNSOUND_CREDENTIALS, "Authorization: Basic !!!!"),
    *with_headers("Basic that is not ASCII", UNSOUND_CREDENTIALS, "Authorization: Basic ÄÖÜ".encode("latin-1")),
    *with_headers("a key of 10,000 bytes", UNSOUND_CREDENTIALS, encoded(b"x:" + b"k" * 4000)),
    *with_headers("the user of another station", UNSOUND_CREDENTIALS, encoded(b"other:" + KEY)),
    *with_headers("an empty user", UNSOUND_CREDENTIALS, encoded(b":" + KEY)),
    *knock("the wrong key", lambda v, me: opening(v, f"/ocpp/{me}", own(me, b"wrong")), WRONG_KEY),
    *knock("an empty key", lambda v, me: opening(v, f"/ocpp/{me}", own(me, b"")), WRONG_KEY),
    *knock("the key with a line end", lambda v, me: opening(v, f"/ocpp/{me}", own(me, KEY + b"\n")), WRONG_KEY),
    *knock("no colon", lambda v, me: opening(v, f"/ocpp/{me}", encoded(me.encode() + KEY)), UNSOUND_CREDENTIALS),
    *knock("the identity in capitals", lambda v, me: opening(v, f"/ocpp/{me.upper()}", own(me.upper())), Http(401)),
    *knock("the right key twice", lambda v, me: opening(v, f"/ocpp/{me}", own(me), own(me)), UNSOUND_CREDENTIALS),
    *knock(
        "the wrong key before the right one",
        lambda v, me: opening(v, f"/ocpp/{me}", own(me, b"wrong"), own(me)),
        UNSOUND_CREDENTIALS,
    ),
    *knock(
        "basic in small letters", lambda v, me: opening(v, f"/ocpp/{me}", own(me).replace("Basic", "basic")), Welcome()
    ),
    *knock(
        "the key as hexadecimal text", lambda v, me: opening(v, f"/ocpp/{me}", own(me, KEY.hex().encode())), Welcome()
    ),
    *knock(
        "sixty odd headers",
        lambda v, me: opening(v, f"/ocpp/{me}", own(me), *(f"X-{n}: {n}" for n in range(60))),
        Welcome(),
    ),
    *offering("another version only", "ocpp1.5", Closed(1002), Closed(1002)),
    *offering("the other version only", "ocpp1.2, ocpp2.0, ocpp9", Closed(1002), Closed(1002)),
    *offering("no subprotocol (1.6J §3.2)", None, Welcome(), Closed(1002)),
    *offering("all subprotocols", "ocpp2.1, ocpp2.0.1, ocpp1.6", Welcome(), Welcome()),
    *offering(
        "the right subprotocol among a thousand",
        ", ".join([*(f"x{n}" for n in range(999)), "ocpp1.6, ocpp2.0.1"]),
        Welcome(),
        Welcome(),
    ),
    *offering("the subprotocol in capitals", "OCPP1.6, OCPP2.0.1", Closed(1002), Closed(1002)),
    *offering("a subprotocol header of commas", ",,;;,", Http(400), Http(400)),
    *changed("no Upgrade", Http(426), Upgrade=None),
    *changed("an upgrade to something else", Http(426), Upgrade="h2c"),
    *changed("no Sec-WebSocket-Key", Http(400), Sec_WebSocket_Key=None),
    *changed("a key of the wrong size", Http(400), Sec_WebSocket_Key="c2hvcnQ="),
    *changed("WebSocket version 8", Http(400), Sec_WebSocket_Version="8"),
    *malformed_extension(Welcome(), Http(400)),
    *changed("an extension that nobody knows", Welcome(), Sec_WebSocket_Extensions="x-own; a=b"),
    *changed("a header of 10,000 characters", Http(431), X_Long="x" * 10_000),
    *changed("a hundred and fifty headers", Http(431), **{f"X{n}": "x" for n in range(150)}),
    *changed("a body", Dropped(), Content_Length="5"),
    *raw("a browser", lines("GET / HTTP/1.1", "Host: x", "User-Agent: Mozilla/5.0"), Http(404)),
    *knock("a POST", lambda v, me: opening(v, f"/ocpp/{me}", own(me)).replace(b"GET", b"POST", 1), Http(405)),
    *knock(
        "HTTP/1.0", lambda v, me: opening(v, f"/ocpp/{me}", own(me)).replace(b"HTTP/1.1", b"HTTP/1.0", 1), Http(505)
    ),
    *raw("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Dropped()),
    *raw("a header without a colon", lines("GET /ocpp/x HTTP/1.1", "Host"), Dropped()),
    *raw("a header over two lines", lines("GET /ocpp/x HTTP/1.1", "X: 1", " 2"), Dropped()),
    *raw("a header with a NUL", lines("GET /ocpp/x HTTP/1.1", "X: \x00"), Dropped()),
    *raw("TLS on the plain port", bytes.fromhex("16030100c8010000c40303") + bytes(200) + b"\r\n", Dropped()),
    *raw("noise", bytes(range(256)) * 4 + b"\r\n\r\n", Dropped()),
    *raw("a line without end", b"GET /" + b"x" * 100_000, Http(414)),
    *raw("half a request", b"GET /ocpp/x HTTP/1.1\r\nHost: x\r\n", Dropped()),
    *raw("nothing at all", b"", Dropped()),
)
