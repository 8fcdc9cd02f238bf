"""Whether a boot names the serial number that the station's certificate vouches for.

OCPP 2.0.1 B01.FR.12, and the same for OCPP 1.6, which has two numbers: either may be the certificate's.
"""

from app.ocpp_central.rpc import Payload

LONGEST_SHOWN_COUNT = 50


def contradiction(certificate_serial: str | None, action: str, payload: Payload) -> str | None:
    """Return what is wrong with a call, None if nothing is: a boot without a serial number contradicts nobody."""
    if certificate_serial is None or action != "BootNotification":
        return None
    station = payload.get("chargingStation")
    told = [payload.get("chargePointSerialNumber"), payload.get("chargeBoxSerialNumber")]
    if isinstance(station, dict):
        told.append(station.get("serialNumber"))
    serials = [str(each) for each in told if each not in (None, "")]
    if not serials or certificate_serial in serials:
        return None
    return f"the boot says {serials[0][:LONGEST_SHOWN_COUNT]}, the certificate {certificate_serial}"
