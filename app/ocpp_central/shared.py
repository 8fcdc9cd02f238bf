"""What all sessions of a central share."""

from collections import Counter
from dataclasses import dataclass, field

from app.bus import Bus
from app.domain.certificates import CertificateAuthority, SignedByHand
from app.ocpp_central.batch import MeterBatch
from app.ocpp_central.frame_log import FrameLog
from app.ocpp_central.options import CentralOptions
from app.ocpp_central.reconcile import Look
from app.ocpp_central.repair_book import RepairBook
from app.operations.transaction import Transactions


@dataclass(frozen=True, slots=True)
class Shared:
    """What all sessions share."""

    transactions: Transactions
    bus: Bus
    options: CentralOptions
    batch: MeterBatch
    standing: Look
    counts: Counter[str]
    frame_log: FrameLog
    repairs: RepairBook
    authority: CertificateAuthority = field(default_factory=SignedByHand)
