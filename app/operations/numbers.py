"""Numbers that we give to what stations are asked to do."""

import secrets


def remote_start_id() -> int:
    """Return a random positive 31-bit number, as OCPP 2.0.1 F02 wants to tell remote starts apart."""
    return secrets.randbelow(2**31 - 1) + 1
