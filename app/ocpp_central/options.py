"""What an installation may set about the OCPP central."""

from dataclasses import dataclass

from app.ocpp_central.tls import TlsFiles
from app.ocpp_central.wanted import Needs


@dataclass(frozen=True, slots=True)
class CentralOptions:
    """Port 0 means any free one. All timeouts are real time; the intervals are what stations are asked for.

    `boot_wait_s` is how long a station that owes a boot is waited for, before and after it was asked for one;
    `reconnect_wait_s` how long one that does not may be silent before it is commanded; `report_wait_s` how long the
    next part of a report is waited for.
    A station may send `message_burst_count` messages at once and `message_rate_per_s` for ever; beyond that it is read
    later, and closed when it keeps on for `flood_patience_s`. `max_queue_count` bounds the calls that wait for their
    answers. `keep_frames_count` is how many frames of a station its log keeps; 0: none.
    `max_handshake_count` bounds the handshakes that are decided together, in one transaction.
    With `tls_port` and `tls_files` there is a second listener; `organisation` is what stations' certificates have to
    name (None: anything). `max_opening_count` bounds connections that have not shown yet who they are.
    `is_deflate_offered` turns permessage-deflate on for OCPP 2.0.1 only (its part 4 asks for it, 1.6 does not).
    """

    host: str = "127.0.0.1"
    port: int = 9000
    tls_port: int | None = None
    tls_files: TlsFiles | None = None
    organisation: str | None = None
    call_timeout_s: float = 30.0
    send_timeout_s: float = 20.0
    open_timeout_s: float = 20.0
    close_timeout_s: float = 5.0
    ping_interval_s: float = 60.0
    ping_timeout_s: float = 30.0
    boot_wait_s: float = 60.0
    reconnect_wait_s: float = 3.0
    report_wait_s: float = 30.0
    heartbeat_interval_s: int = 300
    meter_interval_s: int = 60
    max_frame_bytes: int = 256 * 1024
    max_queue_count: int = 64
    message_rate_per_s: float = 20.0
    message_burst_count: int = 200
    flood_patience_s: float = 600.0
    keep_frames_count: int = 5000
    max_connection_count: int = 10_000
    max_opening_count: int = 6_000
    max_opening_per_address_count: int = 500
    max_handshake_count: int = 100
    failure_limit_count: int = 10
    failure_window_s: float = 60.0
    is_deflate_offered: bool = True

    @property
    def needs(self) -> Needs:
        """What stations are set to."""
        return Needs(self.meter_interval_s, self.heartbeat_interval_s, max(1, int(self.ping_interval_s)))
