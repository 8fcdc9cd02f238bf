"""Root certificates that a station trusts, and the chain that it was given (OCPP 1.6 whitepaper M03 to M05)."""

import hashlib
from dataclasses import dataclass, field

from simulators.messages import Payload

MOST_COUNT = 100
BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def is_pem(text: str) -> bool:
    """Whether a text looks like a certificate; its content is not looked into."""
    return text.strip().startswith(BEGIN) and text.strip().endswith(END)


def hash_of(certificate: str) -> Payload:
    """Return how a certificate is named. The parts are digests of its text: a simulation knows no ASN.1."""
    digest = hashlib.sha256(certificate.strip().encode()).hexdigest()
    return {
        "hashAlgorithm": "SHA256",
        "issuerNameHash": digest,
        "issuerKeyHash": digest[::-1],
        "serialNumber": digest[:16],
    }


@dataclass(slots=True)
class Certificates:
    """What is installed, as (use in the dialect's own word, name)."""

    installed: list[tuple[str, Payload]] = field(default_factory=list)
    chain: str | None = None

    def install(self, use: str, certificate: str) -> str:
        """Trust a root; return the status in both dialects' word."""
        if not is_pem(certificate):
            return "Rejected"
        entry = (use, hash_of(certificate))
        if entry not in self.installed and len(self.installed) >= MOST_COUNT:
            return "Failed"
        self.installed = [*(each for each in self.installed if each != entry), entry]
        return "Accepted"

    def delete(self, name: Payload) -> str:
        """Forget a root; return the status in both dialects' word."""
        kept = [(use, held) for use, held in self.installed if held != name]
        status = "Accepted" if len(kept) < len(self.installed) else "NotFound"
        self.installed = kept
        return status

    def of(self, uses: list[str] | None) -> list[tuple[str, Payload]]:
        """Return what is installed for these uses; None: all."""
        return [(use, name) for use, name in self.installed if uses is None or use in uses]

    def deliver(self, chain: str) -> bool:
        """Take the signed chain of the station itself."""
        if not is_pem(chain):
            return False
        self.chain = chain
        return True
