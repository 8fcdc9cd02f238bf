"""What both dialects share in keeping a station in order: reservations, tokens, certificates to sign, vendor words."""

from functools import partial

from simulators.bay import Bay
from simulators.evse import Activity
from simulators.messages import Call, Payload
from simulators.reservations import Reservation
from simulators.station import Station


def availability(station: Station, evse_number: int, is_operative: bool) -> Payload:
    """Put an EVSE (0: all) in or out of order; a running transaction delays it (OCPP 1.6 §5.2, 2.0.1 G03)."""
    bays = [bay for number, bay in station.bays.items() if evse_number in {0, number}]
    if not bays:
        return {"status": "Rejected"}
    for bay in bays:
        bay.is_operative = is_operative
    if evse_number == 0 and station.dialect.reports_status_when_charging():
        activity = Activity.FREE if is_operative else Activity.UNAVAILABLE
        station.later(lambda: station.send(station.dialect.status(0, activity, station.clock.now_s)))
    is_delayed = not is_operative and any(bay.tx is not None for bay in bays)
    return {"status": "Scheduled" if is_delayed else "Accepted"}


def reserve(station: Station, reservation_id: int, evse_number: int | None, token: str, expires_s: int) -> Payload:
    """Reserve an EVSE; the station as a whole cannot be reserved here (OCPP 1.6 §5.13, 2.0.1 H01)."""
    bay = station.bays.get(evse_number or 0)
    if bay is None or expires_s <= station.clock.now_s:
        return {"status": "Rejected"}
    if not bay.is_operative:
        return {"status": "Unavailable"}
    other = station.reservations.at(bay.evse.number)
    is_taken = other is not None and other.reservation_id != reservation_id
    if bay.evse.car is not None or is_taken:
        return {"status": "Occupied"}
    station.reservations.hold(Reservation(reservation_id, bay.evse.number, token, expires_s))
    return {"status": "Accepted"}


def cancel_reservation(station: Station, payload: Payload) -> Payload:
    """Forget a reservation (OCPP 1.6 §5.1, 2.0.1 H02); both dialects spell it alike."""
    known = station.reservations.take(int(payload["reservationId"]))
    return {"status": "Rejected" if known is None else "Accepted"}


def clear_cache(station: Station, _payload: Payload) -> Payload:
    """Forget what the central system said of tokens (OCPP 1.6 §5.4, 2.0.1 C11)."""
    station.tokens.cached.clear()
    return {"status": "Accepted"}


def take_list(station: Station, version: int, update_type: str, entries: dict[str, bool | None]) -> Payload:
    """Take a local list (OCPP 1.6 §5.15, 2.0.1 D01); a difference must be newer than what it changes."""
    if update_type == "Full":
        return {"status": "Accepted" if station.tokens.replace(version, entries) else "Failed"}
    if version <= station.tokens.version:
        return {"status": "VersionMismatch"}
    return {"status": "Accepted" if station.tokens.change(version, entries) else "Failed"}


def vendor_message(_station: Station, _payload: Payload) -> Payload:
    """No vendor is known here (OCPP 1.6 §5.6, 2.0.1 P01)."""
    return {"status": "UnknownVendorId"}


def delete_certificate(station: Station, payload: Payload) -> Payload:
    """Forget a root (M04); both dialects spell it alike."""
    return {"status": station.certificates.delete(payload["certificateHashData"])}


def install_certificate(station: Station, payload: Payload) -> Payload:
    """Trust a root (M05); both dialects spell it alike."""
    return {"status": station.certificates.install(str(payload["certificateType"]), str(payload["certificate"]))}


def certificate_signed(station: Station, payload: Payload) -> Payload:
    """Take the signed chain (A02); both dialects spell it alike."""
    return {"status": "Accepted" if station.certificates.deliver(str(payload["certificateChain"])) else "Rejected"}


def ask_to_sign(station: Station) -> Payload:
    """Make a key and ask to have it signed (A02, triggered)."""
    send_later(station, station.dialect.sign_certificate(station.certificates.request(station.identity)))
    return {"status": "Accepted"}


def send_later(station: Station, call: Call) -> None:
    """Send a call that was asked for, once the answer has left."""
    call.is_asked = True
    station.later(partial(station.send, call))


def unlock(station: Station, bay: Bay) -> None:
    """Give the cable free, ending the transaction (OCPP 1.6 §5.18)."""
    station.later(lambda: bay.end("UnlockCommand"))
