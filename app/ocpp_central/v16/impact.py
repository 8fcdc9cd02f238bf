"""What a raw call of an expert may do to charging limits (site-limit rule R10)."""

from app.domain.raw import Impact
from app.ocpp_central.rpc import Payload


def classify(_action: str, _payload: Payload) -> Impact | None:
    """Return the impact of a call that is valid by the schema; None for one that nobody has classified."""
    return None
