"""Reservations of EVSEs (OCPP 1.6 §5.13, OCPP 2.0.1 H01 to H04)."""

from collections.abc import Callable
from dataclasses import dataclass

from simulators.agenda import Agenda, Entry


@dataclass(slots=True)
class Reservation:
    """Who may charge at an EVSE until when."""

    reservation_id: int
    evse_number: int
    token: str
    expires_s: int
    entry: Entry | None = None


class Reservations:
    """A station's reservations, at most one for each EVSE; `expired` hears of those that nobody used."""

    def __init__(self, agenda: Agenda, expired: Callable[[Reservation], None]) -> None:
        self._agenda = agenda
        self._expired = expired
        self._held: dict[int, Reservation] = {}

    def at(self, evse_number: int) -> Reservation | None:
        """Return who has reserved an EVSE."""
        return next((held for held in self._held.values() if held.evse_number == evse_number), None)

    def hold(self, reservation: Reservation) -> None:
        """Reserve; replaces the reservation with the same id (OCPP 1.6 §5.13, OCPP 2.0.1 H01.FR.02)."""
        self.take(reservation.reservation_id)
        self._held[reservation.reservation_id] = reservation
        reservation.entry = self._agenda.at(reservation.expires_s, lambda: self._expire(reservation))

    def _expire(self, reservation: Reservation) -> None:
        if self.take(reservation.reservation_id) is not None:
            self._expired(reservation)

    def take(self, reservation_id: int) -> Reservation | None:
        """Take a reservation out, used or cancelled; None where there is none."""
        held = self._held.pop(reservation_id, None)
        if held is not None and held.entry is not None:
            held.entry.is_cancelled = True
        return held
