"""Alarms of a site: what the operator must know of, each from its beginning to its end."""

from collections.abc import Mapping
from typing import Any

import structlog

from app.domain.pages import Page, PageAsked
from app.operations import sites
from app.operations.transaction import Tx
from app.store import electrical_queries
from app.store.electrical import AlarmRow, open_alarms

log = structlog.get_logger()

LONGEST_SUBJECT_COUNT = 100


async def tell(tx: Tx, site_id: str, kind: str, told: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the site's open alarms of a kind those of `told` (subject to detail, JSON): begin new ones, end the others.

    One that goes on keeps its beginning; its detail becomes the newest. Call with the site locked.
    """
    await tell_all(tx, site_id, {kind: told})


async def tell_all(tx: Tx, site_id: str, told: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
    """As `tell`, for several kinds with one query."""
    found = {(row.kind, row.subject): row for row in await open_alarms(tx.session, site_id) if row.kind in told}
    for kind, by_subject in told.items():
        for about, detail in by_subject.items():
            subject = about[:LONGEST_SUBJECT_COUNT]
            row = found.pop((kind, subject), None)
            if row is not None:
                row.detail = dict(detail)
                continue
            tx.session.add(AlarmRow(site_id=site_id, kind=kind, subject=subject, detail=dict(detail), began_at=tx.now))
            log.warning("alarm_began", site_id=site_id, kind=kind, subject=subject, **_plain(detail))
    for row in found.values():
        row.ended_at = tx.now
        log.info("alarm_ended", site_id=site_id, kind=row.kind, subject=row.subject, lasted_s=_lasted_s(row))
    await tx.session.flush()


def _lasted_s(row: AlarmRow) -> float:
    return (row.ended_at - row.began_at).total_seconds() if row.ended_at is not None else 0.0


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {f"detail_{name}": value for name, value in detail.items()}


async def alarms(tx: Tx, site_id: str, *, is_open: bool | None, asked: PageAsked) -> Page[AlarmRow]:
    """Return the site's alarms, newest first: the open ones, the ended ones or (None) all; raises NotFound."""
    await sites.get(tx, site_id)
    return await electrical_queries.alarms(tx.session, site_id, is_open, asked)
