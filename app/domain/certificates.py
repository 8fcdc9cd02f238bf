"""Certificates of stations: whoever signs them, and how asking for a signature can end."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.domain.facts import CertificateUse


@dataclass(frozen=True, slots=True)
class Signed:
    """The signed chain (PEM, leaf first, without the root)."""

    chain: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It will not be signed; `reason` is for the operator."""

    reason: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """Not now: somebody signs it elsewhere and an operator hands in the chain."""


Signing = Signed | Refused | Deferred


class CertificateAuthority(Protocol):
    """Signs requests that were checked before (OCPP 2.0.1 A02, A03; 1.6 security whitepaper A02)."""

    async def sign(self, request: str, use: CertificateUse, now: datetime) -> Signing:
        """Sign a PKCS #10 request (PEM); raises OSError where the authority cannot be reached: it is asked again."""
        ...


class SignedByHand:
    """No authority of our own: the operator takes the request to one, and brings the chain back."""

    async def sign(self, request: str, use: CertificateUse, now: datetime) -> Signing:  # noqa: ARG002 - the protocol's
        """Leave it to the operator."""
        return Deferred()
