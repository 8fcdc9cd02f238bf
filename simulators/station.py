"""A charging station: boot, line, heartbeats, resets and what the central system may ask of it; both dialects."""

import logging
import random
import uuid
from collections.abc import Callable, Sequence

from simulators.agenda import Agenda
from simulators.bay import Bay
from simulators.certificates import Certificates
from simulators.clock import Clock
from simulators.evse import Activity, Evse
from simulators.failings import SOUND, Failings
from simulators.heartbeat import Heartbeat
from simulators.journal import Journal
from simulators.line import Line
from simulators.messages import Call, Dialect, Fault, Payload
from simulators.outbox import Outbox
from simulators.profiles import Electrical, Profile, ProfileStore, Purpose
from simulators.reservations import Reservation, Reservations
from simulators.tokens import Tokens
from simulators.workshop import Workshop

logger = logging.getLogger(__name__)

REBOOT_S = 20
BACK_OFF_S = (10, 20, 40, 80, 160, 300)
DEFAULT_BOOT_INTERVAL_S = 60


Answerer = Callable[["Station", str, Payload], Payload]


class Station:
    """The state machine; `answerer` decodes and carries out calls of the central system for its dialect.

    `meter_interval_s` is business time. The station is online while its link is up and its
    boot was accepted, now or before: a reconnect needs no new boot (OCPP 1.6 §4.2). `memory` holds the settings that it
    only remembers, `networks` and `monitors` what OCPP 2.0.1 has it remember. `failings` are what is wrong with it.
    """

    def __init__(
        self,
        identity: str,
        dialect: Dialect,
        answerer: Answerer,
        evses: Sequence[Evse],
        *,
        clock: Clock,
        agenda: Agenda,
        meter_interval_s: int = 60,
        seed: int = 0,
        failings: Failings = SOUND,
    ) -> None:
        self.identity = identity
        self.failings = failings
        self.dialect = dialect
        self.clock = clock
        self.agenda = agenda
        self.journal = Journal()
        self.outbox = Outbox()
        self.meter_interval_s = meter_interval_s
        self.heartbeat = Heartbeat(clock, agenda, self._beat)
        first = evses[0]
        self.profiles = ProfileStore(Electrical(first.rated_a, first.voltage_v, first.phase_count))
        self.bays: dict[int, Bay] = {evse.number: Bay(self, evse) for evse in evses}
        self.memory: dict[str, str] = {}
        self.networks: dict[int, Payload] = {}
        self.monitors: dict[int, Payload] = {}
        self.tokens = Tokens()
        self.certificates = Certificates()
        self.reservations = Reservations(agenda, self._reservation_expired)
        self.workshop = Workshop(self)
        self.line: Line | None = None
        self.boot_status: str | None = None
        self.boot_reason = "PowerUp"
        self._answerer = answerer
        self._rng = random.Random(f"{identity}:{seed}")
        self._deferred: list[Callable[[], object]] = []
        self._back_off_no = 0
        self._stays_away_until_s = 0
        self._resets_when_idle = False

    @property
    def is_accepted(self) -> bool:
        """Whether the central system has accepted its boot."""
        return self.boot_status == "Accepted"

    @property
    def is_online(self) -> bool:
        """Whether messages reach the central system now."""
        return self.is_accepted and self.line is not None and self.line.is_up

    @property
    def is_busy(self) -> bool:
        """Whether a transaction runs."""
        return any(bay.tx is not None for bay in self.bays.values())

    def new_ref(self) -> str | None:
        """Return a transaction id where the station makes them (2.0.1), None where the central system does (1.6)."""
        if self.dialect.reports_status_when_charging():
            return None
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    def send(self, call: Call) -> None:
        """Queue a call and tell the link."""
        self.outbox.push(call)
        if self.line is not None:
            self.line.wake()

    def connected(self) -> None:
        """The link is up: boot, or after a mere interruption report the connectors again (OCPP 2.0.1 B04)."""
        self._back_off_no = 0
        if self.is_accepted:
            for bay in self.bays.values():
                bay.send_status()
        else:
            self._boot()

    def lost(self) -> None:
        """The link is down, or did not come up: try again after a back-off in business time."""
        self.outbox.line_lost()
        wait_s = BACK_OFF_S[min(self._back_off_no, len(BACK_OFF_S) - 1)]
        self._back_off_no += 1
        self.agenda.at(max(self.clock.now_s + wait_s, self._stays_away_until_s), self._connect)

    def _connect(self) -> None:
        if self.clock.now_s < self._stays_away_until_s:
            self.agenda.at(self._stays_away_until_s, self._connect)
        elif self.line is not None:
            self.line.connect()

    def stay_away(self, until_s: int) -> None:
        """Lose the socket now (abruptly) and do not come back before `until_s`."""
        self._stays_away_until_s = until_s
        if self.line is not None:
            self.line.abort()

    def sent(self) -> None:
        """A call has left."""
        self.journal.sent_count += 1
        self.heartbeat.sent()

    def acknowledged(self, call: Call, answer: Payload) -> None:
        """A call was answered."""
        self.journal.acked_count += 1
        self.outbox.done(call)
        if call.on_answer is not None:
            call.on_answer(answer)

    def refused(self, call: Call, code: str) -> None:
        """A call was answered with an error frame."""
        logger.warning("%s: %s was answered with %s", self.identity, call.action, code)
        retry_s = self.outbox.refused(call, self.clock.now_s)
        if retry_s is not None and self.line is not None:
            self.agenda.at(retry_s, self.line.wake)

    def _boot(self, *, is_asked: bool = False) -> None:
        call = self.dialect.boot(self.identity, "Triggered" if is_asked else self.boot_reason, self.workshop.firmware)
        call.on_answer = self._booted
        call.on_failed = lambda is_offline: None if is_offline else self._boot_later(DEFAULT_BOOT_INTERVAL_S)
        self.send(call)

    def _boot_later(self, wait_s: int) -> None:
        def again() -> None:
            if self.line is not None and self.line.is_up and not self.is_accepted:
                self._boot()

        self.agenda.at(self.clock.now_s + wait_s, again)

    def _booted(self, answer: Payload) -> None:
        was_accepted, self.boot_status = self.is_accepted, str(answer["status"])
        interval_s = int(answer.get("interval") or 0)
        if not self.is_accepted:
            self._boot_later(interval_s or DEFAULT_BOOT_INTERVAL_S)
            return
        self.heartbeat.plan(interval_s or None)
        if not was_accepted:
            if self.dialect.reports_status_when_charging():
                self.send(self.dialect.status(0, Activity.FREE, self.clock.now_s))
            for bay in self.bays.values():
                bay.forget_reports()
                bay.send_status()
            self.workshop.booted()

    def _beat(self) -> None:
        if self.is_online:
            self.send(self.dialect.heartbeat())

    def answer(self, action: str, payload: Payload) -> Payload:
        """Carry out a call of the central system; raises Fault."""
        if self.failings.hides_profiles and action == "GetCompositeSchedule":
            return {"status": "Rejected"}
        if self.boot_status == "Rejected":
            raise Fault("GenericError", "the boot was rejected")
        try:
            return self._answerer(self, action, payload)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as bad:
            raise Fault(self.dialect.format_violation, f"{type(bad).__name__}: {bad}"[:200]) from bad

    def after_answer(self) -> None:
        """Do what has to follow an answer that has left by now."""
        deferred, self._deferred = self._deferred, []
        for action in deferred:
            action()
        self.report()

    def later(self, action: Callable[[], object]) -> None:
        """Do something once the answer to the call in hand has left."""
        self._deferred.append(action)

    def report(self) -> None:
        """Report what has changed at the connectors."""
        for bay in self.bays.values():
            bay.report()

    def bay_of(self, ref: str) -> Bay | None:
        """Return where a transaction runs."""
        return next((bay for bay in self.bays.values() if bay.tx is not None and bay.tx.ref == ref), None)

    def set_profile(self, profile: Profile) -> bool:
        """Install a charging profile; a TxProfile needs its transaction (OCPP 1.6 §5.16, OCPP 2.0.1 K01.FR.09)."""
        is_limit = profile.purpose is Purpose.TX
        self.journal.limits_received_count += is_limit
        if not self._fits(profile) or not self.profiles.install(profile):
            return False
        self.journal.limits_accepted_count += is_limit
        self.journal.defaults_accepted_count += not is_limit
        self.refresh()
        return True

    def _fits(self, profile: Profile) -> bool:
        if profile.evse_number != 0 and profile.evse_number not in self.bays:
            return False
        if profile.purpose is not Purpose.TX:
            return True
        bay = self.bays.get(profile.evse_number)
        if bay is None or bay.tx is None:
            return False
        return profile.tx_ref is None or profile.tx_ref == bay.tx.ref

    def refresh(self) -> None:
        """Work out the limits of all EVSEs anew."""
        for bay in self.bays.values():
            bay.refresh()

    def composite_a(self, evse_number: int, duration_s: int) -> list[tuple[int, float]]:
        """Return an EVSE's composite schedule from now; raises KeyError for an unknown EVSE."""
        tx, now_s = self.bays[evse_number].tx, self.clock.now_s
        anchor_s = now_s if tx is None else tx.started_s
        return self.profiles.composite_a(evse_number, now_s, duration_s, anchor_s=anchor_s, has_tx=tx is not None)

    def remote_start(self, evse_number: int | None, token: str, remote_start_id: int | None) -> Bay | None:
        """Start at an EVSE (None: any that is not in use), now or when a car comes; None if that is impossible."""
        candidates = [
            bay for bay in self.bays.values() if evse_number in {None, bay.evse.number} and bay.can_start(token)
        ]
        bay = next((each for each in candidates if each.evse.car is not None), next(iter(candidates), None))
        if bay is None or not self.is_accepted:
            return None
        chosen = bay
        if chosen.evse.car is None:
            chosen.expect(token, remote_start_id)
        else:
            self.later(lambda: chosen.begin(token, remote_start_id=remote_start_id, is_remote=True))
        return chosen

    def trigger_boot(self) -> None:
        """Send a BootNotification as asked."""
        self.later(lambda: self._boot(is_asked=True))

    def reset(self, reason: str) -> None:
        """End every transaction with this reason, then restart (charging profiles but TxProfiles are kept)."""

        def go_down() -> None:
            for bay in self.bays.values():
                bay.end(reason)
            self.agenda.at(self.clock.now_s + 1, self.restart)

        self._resets_when_idle = False
        self.later(go_down)

    def reset_when_idle(self) -> None:
        """Restart once no transaction runs any more."""
        self._resets_when_idle = True

    def unplugged(self) -> None:
        """A car has left: a restart or an installation that waited for it may happen."""
        if self.is_busy:
            return
        self.workshop.proceed()
        if self._resets_when_idle:
            self._resets_when_idle = False
            self.agenda.at(self.clock.now_s + 1, self.restart)

    def _reservation_expired(self, reservation: Reservation) -> None:
        if (call := self.dialect.reservation_expired(reservation.reservation_id)) is not None:
            self.send(call)
        self.report()

    def restart(self, reason: str = "RemoteReset") -> None:
        """Boot again; what was reported before counts no more."""
        if self.failings.is_forgetful:
            self.profiles.profiles = []
            self.refresh()
        self.boot_status, self.boot_reason = None, reason
        self.stay_away(self.clock.now_s + REBOOT_S)
