"""Stations in full: security profiles 2 and 3, key rotation, device model, jobs, events, audit, message log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
JSONB = postgresql.JSONB()


def upgrade() -> None:
    _station()
    _upkeep()
    _device()
    _log()


def _station_key() -> sa.ForeignKey:
    return sa.ForeignKey("station.station_id", ondelete="CASCADE")


def _station() -> None:
    op.add_column("station", sa.Column("pending_salt", sa.LargeBinary()))
    op.add_column("station", sa.Column("pending_hash", sa.LargeBinary()))
    op.add_column("station", sa.Column("target_profile", sa.Integer()))
    op.add_column("station", sa.Column("expected_serial", sa.String(50)))
    op.add_column("station", sa.Column("takes_leases", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("station", sa.Column("local_list_version", sa.Integer()))
    op.drop_constraint(op.f("ck_station_security_profile"), "station")
    op.drop_constraint(op.f("ck_station_has_key"), "station")
    op.create_check_constraint("security_profile", "station", "security_profile BETWEEN 0 AND 3")
    op.create_check_constraint("target_profile", "station", "target_profile BETWEEN 0 AND 3")
    op.create_check_constraint("has_key", "station", "security_profile IN (0, 3) OR key_hash IS NOT NULL")


def _upkeep() -> None:
    op.create_table(
        "station_event",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), _station_key(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("request_id", sa.Integer()),
        sa.Column("evse_number", sa.Integer()),
        sa.Column("detail", JSONB, nullable=False),
    )
    op.create_index("ix_station_event_kind", "station_event", ["station_id", "kind", "event_id"])
    op.create_table(
        "station_job",
        sa.Column("request_id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), _station_key(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("status", sa.String(50), nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.CheckConstraint("request_id BETWEEN 1 AND 2147483647", name="request_id"),
    )
    op.create_index("ix_station_job_station", "station_job", ["station_id", "kind", "request_id"])
    op.create_table(
        "station_command",
        sa.Column("command_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), nullable=False),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("asked_by", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("is_raw", sa.Boolean(), nullable=False),
        sa.Column("payload", JSONB, nullable=False),
        sa.Column("outcome", sa.String(32)),
        sa.Column("answer", JSONB),
        sa.Column("ended_at", TIME),
    )
    op.create_index("ix_station_command_station", "station_command", ["station_id", "command_id"])
    op.create_table(
        "station_reservation",
        sa.Column("reservation_id", sa.Integer(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), _station_key(), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(36), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
    )
    op.create_index("ix_station_reservation_station", "station_reservation", ["station_id", "reservation_id"])


def _device() -> None:
    op.create_table(
        "station_variable",
        sa.Column("station_id", sa.String(48), _station_key(), primary_key=True),
        sa.Column("component", sa.String(50), primary_key=True),
        sa.Column("component_instance", sa.String(50), primary_key=True),
        sa.Column("evse_number", sa.Integer(), primary_key=True),
        sa.Column("connector_number", sa.Integer(), primary_key=True),
        sa.Column("variable", sa.String(50), primary_key=True),
        sa.Column("variable_instance", sa.String(50), primary_key=True),
        sa.Column("attribute", sa.String(16), primary_key=True),
        sa.Column("value", sa.String(2500)),
        sa.Column("is_writable", sa.Boolean(), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("values", sa.String(1000), nullable=False),
        sa.Column("reported_at", TIME, nullable=False),
    )
    op.create_table(
        "station_onboarding",
        sa.Column("station_id", sa.String(48), _station_key(), primary_key=True),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("capabilities", JSONB, nullable=False),
        sa.Column("wanted", JSONB, nullable=False),
        sa.Column("unmet", JSONB, nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("retry_at", TIME),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.CheckConstraint("state IN ('running', 'done', 'partly', 'failed')", name="state"),
    )
    op.create_table(
        "station_certificate",
        sa.Column("certificate_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), _station_key(), nullable=False),
        sa.Column("use", sa.String(16), nullable=False),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("chain", sa.Text()),
        sa.Column("serial_number", sa.String(64)),
        sa.Column("expires_at", TIME),
        sa.Column("attempt_count", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("asked_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.CheckConstraint("state IN ('asked', 'signed', 'delivered', 'refused', 'failed')", name="state"),
    )
    op.create_index("ix_station_certificate_station", "station_certificate", ["station_id", "certificate_id"])


def _log() -> None:
    op.create_table(
        "frame",
        sa.Column("frame_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("direction", sa.String(3), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("direction IN ('in', 'out')", name="direction"),
    )
    op.create_index("ix_frame_station", "frame", ["station_id", "frame_id"])
    op.create_table(
        "repair",
        sa.Column("vendor", sa.String(100), primary_key=True),
        sa.Column("model", sa.String(100), primary_key=True),
        sa.Column("firmware", sa.String(100), primary_key=True),
        sa.Column("repair", sa.String(64), primary_key=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
    )


def downgrade() -> None:
    for table in (
        "repair",
        "frame",
        "station_certificate",
        "station_onboarding",
        "station_variable",
        "station_reservation",
        "station_command",
        "station_job",
        "station_event",
    ):
        op.drop_table(table)
    op.execute("DELETE FROM station WHERE security_profile > 1")
    op.drop_constraint(op.f("ck_station_has_key"), "station")
    op.drop_constraint(op.f("ck_station_target_profile"), "station")
    op.drop_constraint(op.f("ck_station_security_profile"), "station")
    op.create_check_constraint("security_profile", "station", "security_profile IN (0, 1)")
    op.create_check_constraint("has_key", "station", "security_profile = 0 OR key_hash IS NOT NULL")
    op.drop_column("station", "local_list_version")
    for column in ("takes_leases", "expected_serial", "target_profile", "pending_hash", "pending_salt"):
        op.drop_column("station", column)
