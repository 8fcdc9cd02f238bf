"""One EVSE's part of a station: plug, token, transaction, reports. The same for both dialects."""

from typing import Protocol

from simulators.agenda import Agenda, Entry
from simulators.car import MIN_CURRENT_A, Car
from simulators.clock import Clock
from simulators.evse import AT_REST, Activity, Evse
from simulators.failings import Failings
from simulators.journal import Journal
from simulators.messages import Call, Dialect, Payload, Transaction
from simulators.profiles import ProfileStore
from simulators.reservations import Reservation, Reservations
from simulators.tokens import Tokens

REMOTE_WAIT_S = 120


class Host(Protocol):
    """What an EVSE needs of the station that it belongs to."""

    clock: Clock
    agenda: Agenda
    dialect: Dialect
    journal: Journal
    profiles: ProfileStore
    failings: Failings
    reservations: Reservations
    tokens: Tokens
    memory: dict[str, str]
    meter_interval_s: int
    bays: dict[int, "Bay"]

    @property
    def is_online(self) -> bool:
        """Whether messages reach the central system now."""
        ...

    def send(self, call: Call) -> None:
        """Queue a call."""
        ...

    def new_ref(self) -> str | None:
        """Return a transaction id where the station makes them."""
        ...

    def unplugged(self) -> None:
        """A car has left."""
        ...


class Bay:
    """One EVSE of a station: who is plugged in, which transaction runs, what was reported last."""

    def __init__(self, station: Host, evse: Evse) -> None:
        self.station = station
        self.evse = evse
        self.tx: Transaction | None = None
        self.is_operative = True
        self.next_change_s: int | None = None
        self._has_charged = False
        self._has_paused = False
        self._reported: Activity | None = None
        self._remote: tuple[str, int | None, int] | None = None
        self._meter_entry: Entry | None = None

    @property
    def activity(self) -> Activity:
        """What goes on, as the station would report it."""
        if self.tx is None and not self.is_operative:
            return Activity.UNAVAILABLE
        if self.evse.car is None:
            return Activity.FREE if self._reservation is None else Activity.RESERVED
        if self.tx is None:
            return Activity.FINISHED if self._has_charged else Activity.CONNECTED
        if self.evse.offered_a < MIN_CURRENT_A:
            return Activity.PAUSED_BY_STATION
        return Activity.PAUSED_BY_CAR if self.evse.car.is_full else Activity.CHARGING

    @property
    def _reservation(self) -> Reservation | None:
        return self.station.reservations.at(self.evse.number)

    def refresh(self) -> None:
        """Work out anew which limit holds, and signal it to the car."""
        now_s, store, has_tx = self.station.clock.now_s, self.station.profiles, self.tx is not None
        anchor_s = self.tx.started_s if self.tx is not None else now_s
        sharing_count = sum(bay.tx is not None for bay in self.station.bays.values())
        limit_a = store.limit_a(
            self.evse.number, now_s, anchor_s=anchor_s, has_tx=has_tx, sharing_count=max(1, sharing_count)
        )
        self._offer(limit_a, now_s)
        self.next_change_s = store.next_change_s(self.evse.number, now_s, anchor_s=anchor_s, has_tx=has_tx)

    def _offer(self, limit_a: float, now_s: int) -> None:
        """Signal the limit, or what the station makes of it."""
        failings = self.station.failings
        offered_a = failings.offered_a(limit_a, self.evse.rated_a, has_paused=self._has_paused)
        self._has_paused = self.tx is not None and (self._has_paused or limit_a < MIN_CURRENT_A)
        if failings.apply_delay_s:
            self.station.agenda.at(now_s + failings.apply_delay_s, lambda: self.evse.offer(offered_a))
        else:
            self.evse.offer(offered_a)

    def plug_in(self, car: Car, token: str | None) -> None:
        """A car arrives; `token` is presented to the reader (None: nobody does)."""
        now_s = self.station.clock.now_s
        self.evse.car, self._has_charged = car, False
        self.report()
        if self._remote is not None and self._remote[2] >= now_s:
            remote_token, remote_start_id, _ = self._remote
            self.begin(remote_token, remote_start_id=remote_start_id, is_remote=True)
        elif token is not None:
            self._present(token)
        self._remote = None

    def _present(self, token: str) -> None:
        if not self.station.is_online:
            self._begin_offline(token)
            return
        call = self.station.dialect.authorize(token)
        car = self.evse.car

        def answered(answer: Payload) -> None:
            may_charge = self.station.dialect.is_accepted(answer)
            self.station.tokens.remember(token, bool(may_charge))
            if self.evse.car is car and may_charge:
                self.begin(token)

        def failed(is_offline: bool) -> None:
            if is_offline and self.evse.car is car:
                self._begin_offline(token)

        call.on_answer, call.on_failed = answered, failed
        self.station.send(call)

    def _begin_offline(self, token: str) -> None:
        """Begin if the local list or the cache says yes; an unknown token as configured (OCPP 1.6 §3.5.4)."""
        memory, may_charge = self.station.memory, self.station.tokens.verdict(token)
        if memory.get("LocalAuthorizeOffline", "true") == "false":
            may_charge = None
        if may_charge is None:
            may_charge = memory.get("AllowOfflineTxForUnknownId", "true") == "true"
        if may_charge:
            self.begin(token)

    def can_start(self, token: str) -> bool:
        """Whether a transaction may begin as soon as a car is there."""
        reservation = self._reservation
        is_held_back = reservation is not None and reservation.token != token
        return self.tx is None and self.is_operative and not is_held_back

    def begin(self, token: str, *, remote_start_id: int | None = None, is_remote: bool = False) -> Transaction | None:
        """Start a transaction for the car that is plugged in.

        None if there is no car, one runs already, the EVSE is out of order, or reserved for another token.
        """
        reservation = self._reservation
        if self.evse.car is None or not self.can_start(token):
            return None
        station, now_s = self.station, self.station.clock.now_s
        reading = self.evse.reading(now_s)
        tx = Transaction(
            self.evse.number, token, now_s, reading.register_wh, station.new_ref(), remote_start_id, is_remote
        )
        if reservation is not None:
            self.station.reservations.take(reservation.reservation_id)
            tx.reservation_id = reservation.reservation_id
        self.tx, self._has_charged, self.evse.is_closed = tx, True, True
        for bay in station.bays.values():
            bay.refresh()
        call = station.dialect.started(tx, reading, is_offline=not station.is_online)
        learn_ref = call.on_answer

        def answered(answer: Payload) -> None:
            if learn_ref is not None:
                learn_ref(answer)
            station.journal.started(tx)
            if station.dialect.is_accepted(answer) is False and self.tx is tx:
                self.end("DeAuthorized")

        call.on_answer = answered
        station.send(call)
        self.report()
        self._plan_metering()
        return tx

    def expect(self, token: str, remote_start_id: int | None) -> None:
        """Remember a remote start until a car is plugged in."""
        self._remote = (token, remote_start_id, self.station.clock.now_s + REMOTE_WAIT_S)

    def end(self, reason: str) -> None:
        """End the running transaction, if there is one; the car stays plugged in."""
        tx, station = self.tx, self.station
        if tx is None:
            return
        now_s = station.clock.now_s
        reading = self.evse.reading(now_s)
        self.evse.open()
        self.tx = None
        if self._meter_entry is not None:
            self._meter_entry.is_cancelled = True
        station.profiles.end_transaction(self.evse.number)
        for bay in station.bays.values():
            bay.refresh()
        call = station.dialect.ended(tx, reading, reason, is_offline=not station.is_online)
        call.on_answer = lambda _: station.journal.ended(tx, now_s, reading.register_wh)
        station.send(call)
        self.report()

    def unplug(self) -> None:
        """The car leaves, ending its transaction."""
        self.end("EVDisconnected")
        self.evse.car = None
        self.evse.open()
        self.report()
        self.station.unplugged()

    def report(self) -> None:
        """Tell the central system what goes on, if that is news."""
        activity = self.activity
        if activity is self._reported:
            return
        before, self._reported = self._reported, activity
        station, now_s = self.station, self.station.clock.now_s
        if station.dialect.reports_status_when_charging() or not AT_REST.isdisjoint({before, activity}):
            self.send_status()
        if self.tx is not None and not station.dialect.reports_status_when_charging():
            station.send(station.dialect.moved(self.tx, activity, now_s, is_offline=not station.is_online))

    def send_status(self, *, is_asked: bool = False) -> None:
        """Send the connector's status as it is (nothing while offline: it is sent when the line is back)."""
        station = self.station
        if not station.is_online:
            return
        call: Call = station.dialect.status(self.evse.number, self.activity, station.clock.now_s)
        call.is_asked = is_asked
        station.send(call)

    def forget_reports(self) -> None:
        """The station starts anew: nothing runs, and nothing was reported."""
        self._reported = self.activity

    def _plan_metering(self) -> None:
        interval_s = self.station.meter_interval_s
        if interval_s <= 0:
            return
        now_s = self.station.clock.now_s
        self._meter_entry = self.station.agenda.at((now_s // interval_s + 1) * interval_s, self._meter_tick)

    def replan_metering(self) -> None:
        """The interval was changed."""
        if self.tx is not None:
            if self._meter_entry is not None:
                self._meter_entry.is_cancelled = True
            self._plan_metering()

    def _meter_tick(self) -> None:
        self.send_meter()
        self._plan_metering()

    def send_meter(self, *, is_asked: bool = False) -> None:
        """Send the meter's values now."""
        station, now_s = self.station, self.station.clock.now_s
        reading = self.evse.reading(now_s)
        if self.tx is None:
            station.send(station.dialect.metered_idle(self.evse.number, reading))
            return
        call = station.dialect.metered(self.tx, reading, is_offline=not station.is_online, is_asked=is_asked)
        if not is_asked:
            call.on_answer = lambda _: station.journal.metered(self.evse.number, now_s, reading.register_wh)
        station.send(call)
