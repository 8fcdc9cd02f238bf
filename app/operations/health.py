"""Whether the database answers."""

from sqlalchemy import select

from app.operations.transaction import Tx


async def check_database(tx: Tx) -> None:
    """Ask the database for a 1; raises whatever the connection raises."""
    await tx.session.scalar(select(1))
