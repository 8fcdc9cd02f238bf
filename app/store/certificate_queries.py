"""Queries on certificates that stations asked for."""

from collections.abc import Sequence

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.domain.pages import Page, PageAsked
from app.store.device import CertificateRow
from app.store.page_queries import Keys, fetch_page
from app.store.station import StationRow

CERTIFICATE_KEYS = Keys((CertificateRow.certificate_id,), (int,), is_descending=True)


async def open_ones(session: AsyncSession, station_id: str) -> Sequence[CertificateRow]:
    """Return what is asked or signed and not delivered, newest first, locked against other changes."""
    query = select(CertificateRow).where(CertificateRow.station_id == station_id)
    query = query.where(CertificateRow.state.in_(("asked", "signed")))
    return (await session.scalars(query.order_by(CertificateRow.certificate_id.desc()).with_for_update())).all()


async def locked(session: AsyncSession, certificate_id: int) -> CertificateRow | None:
    """Return a certificate, locked against other changes."""
    return await session.get(CertificateRow, certificate_id, with_for_update=True, populate_existing=True)


async def certificates(session: AsyncSession, station_id: str, asked: PageAsked) -> Page[CertificateRow]:
    """Return a station's certificates, newest first."""
    query = select(CertificateRow).where(CertificateRow.station_id == station_id)
    return await fetch_page(session, query, CERTIFICATE_KEYS, asked)


async def expects_serial(session: AsyncSession, serial: str, besides: str) -> bool:
    """Return whether another station is expected to have this serial number, or has it as its identity."""
    is_its_name = or_(StationRow.expected_serial == serial, StationRow.station_id == serial)
    query = select(exists().where(is_its_name, StationRow.station_id != besides))
    return bool(await session.scalar(query))
