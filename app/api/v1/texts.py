"""Texts that commands carry to stations: where files are, and certificates."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

SCHEMES = ("ftp", "ftps", "http", "https", "sftp")
LONGEST_URL_COUNT = 512
LONGEST_CERTIFICATE_COUNT = 5_500
CERTIFICATE = re.compile(r"\s*(-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+", re.ASCII)


def _url(text: str) -> str:
    """Check a URL; what is wrong never repeats it, because it may carry a password."""
    try:
        parts = urlsplit(text)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme.lower() not in SCHEMES:
        raise ValueError(f"must begin with one of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if not is_whole:
        raise ValueError("must name a host (and, where it has one, a port from 1 to 65535)")
    return text


def _certificate(text: str) -> str:
    if not CERTIFICATE.fullmatch(text):
        raise ValueError("must be one or more PEM certificates and nothing else")
    return text


Url = Annotated[
    str,
    StringConstraints(max_length=LONGEST_URL_COUNT, pattern=r"^[\x21-\x7e]+$"),
    AfterValidator(_url),
]
CertificateText = Annotated[str, StringConstraints(max_length=LONGEST_CERTIFICATE_COUNT), AfterValidator(_certificate)]
