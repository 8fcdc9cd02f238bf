"""The first tables: sites, stations, drivers, bookings, sessions, plans and the limit ledger.

Primary keys, foreign keys, unique and check constraints take their full names from the naming convention of
`app.store.base`.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "driver",
        sa.Column("driver_id", sa.Uuid(), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "site",
        sa.Column("site_id", sa.String(48), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("limit_w", sa.Double(), nullable=False),
        sa.Column("margin_w", sa.Double(), nullable=False),
        sa.Column("reserve_w", sa.Double(), nullable=False),
        sa.Column("voltage_v", sa.Double(), nullable=False),
        sa.Column("safe_current_a", sa.Double(), nullable=False),
        sa.Column("min_current_a", sa.Double(), nullable=False),
        sa.Column("default_need_wh", sa.Double(), nullable=False),
        sa.Column("default_stay", postgresql.INTERVAL(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("safe_current_a >= 0 AND voltage_v > 0", name="electrical"),
        sa.CheckConstraint("limit_w > 0 AND margin_w >= 0 AND reserve_w >= 0", name="limits"),
        sa.CheckConstraint("margin_w + reserve_w < limit_w", name="room"),
    )
    op.create_table(
        "stranger",
        sa.Column("identity", sa.String(48), primary_key=True),
        sa.Column("first_seen_at", TIME, nullable=False),
        sa.Column("last_seen_at", TIME, nullable=False),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
    )
    op.create_table(
        "api_token",
        sa.Column("token_id", sa.Uuid(), primary_key=True),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="CASCADE")),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME),
        sa.CheckConstraint("(role = 'driver') = (driver_id IS NOT NULL)", name="driver"),
        sa.CheckConstraint("role IN ('driver', 'operator', 'grid', 'station_admin')", name="role"),
    )
    op.create_table(
        "forecast",
        sa.Column("forecast_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("issued_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("starts_at", TIME, nullable=False),
        sa.Column("step", postgresql.INTERVAL(), nullable=False),
        sa.Column("pv_w", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.Column("building_w", postgresql.ARRAY(sa.Double()), nullable=False),
        sa.CheckConstraint("cardinality(pv_w) = cardinality(building_w) AND cardinality(pv_w) > 0", name="same_length"),
    )
    op.create_index("ix_forecast_newest", "forecast", ["site_id", "issued_at"])
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.Uuid(), primary_key=True),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.UniqueConstraint("site_id", "revision"),
    )
    op.create_table(
        "site_reading",
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("at", TIME, primary_key=True),
        sa.Column("pv_w", sa.Double(), nullable=False),
        sa.Column("building_w", sa.Double(), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.CheckConstraint("pv_w >= 0 AND building_w >= 0", name="positive"),
    )
    op.create_table(
        "station",
        sa.Column("station_id", sa.String(48), primary_key=True),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id"), nullable=False),
        sa.Column("security_profile", sa.Integer(), nullable=False),
        sa.Column("key_salt", sa.LargeBinary()),
        sa.Column("key_hash", sa.LargeBinary()),
        sa.Column("dialect", sa.String(16)),
        sa.Column("is_commissioned", sa.Boolean(), nullable=False),
        sa.Column("needs_boot", sa.Boolean(), nullable=False),
        sa.Column("rate_unit", sa.String(1), nullable=False),
        sa.Column("vendor", sa.String(100)),
        sa.Column("model", sa.String(100)),
        sa.Column("serial", sa.String(100)),
        sa.Column("firmware", sa.String(100)),
        sa.Column("booted_at", TIME),
        sa.Column("connection_id", sa.String(36)),
        sa.Column("connected_dialect", sa.String(16)),
        sa.Column("connected_at", TIME),
        sa.Column("last_seen_at", TIME),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("dialect IS NULL OR dialect IN ('ocpp1.6', 'ocpp2.0.1')", name="dialect"),
        sa.CheckConstraint("security_profile = 0 OR key_hash IS NOT NULL", name="has_key"),
        sa.CheckConstraint("rate_unit IN ('A', 'W')", name="rate_unit"),
        sa.CheckConstraint("security_profile IN (0, 1)", name="security_profile"),
    )
    op.create_index("ix_station_site_id", "station", ["site_id"])
    op.create_table(
        "token",
        sa.Column("token", sa.String(255), primary_key=True),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="CASCADE"), nullable=False),
        sa.Column("is_blocked", sa.Boolean(), nullable=False),
        sa.Column("expires_at", TIME),
    )
    op.create_index("ix_token_driver_id", "token", ["driver_id"])
    op.create_index("uq_token_upper", "token", [sa.text("upper(token)")], unique=True)
    op.create_table(
        "vehicle",
        sa.Column("vehicle_id", sa.Uuid(), primary_key=True),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("battery_wh", sa.Double(), nullable=False),
        sa.Column("consumption_wh_per_km", sa.Double(), nullable=False),
        sa.Column("max_charge_w", sa.Double()),
        sa.CheckConstraint("max_charge_w IS NULL OR max_charge_w > 0", name="max_charge"),
        sa.CheckConstraint("battery_wh > 0 AND consumption_wh_per_km > 0", name="positive"),
    )
    op.create_index("ix_vehicle_driver_id", "vehicle", ["driver_id"])
    op.create_table(
        "evse",
        sa.Column("evse_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), sa.ForeignKey("station.station_id", ondelete="CASCADE"), nullable=False),
        sa.Column("evse_number", sa.Integer(), nullable=False),
        sa.Column("max_current_a", sa.Double(), nullable=False),
        sa.Column("phase_count", sa.Integer(), nullable=False),
        sa.Column("occupancy", sa.String(16)),
        sa.Column("activity", sa.String(20)),
        sa.Column("fault", sa.String(100)),
        sa.Column("status_at", TIME),
        sa.Column("power_w", sa.Double()),
        sa.Column("metered_at", TIME),
        sa.Column("default_verified_at", TIME),
        sa.CheckConstraint("max_current_a > 0 AND phase_count IN (1, 3)", name="electrical"),
        sa.CheckConstraint("evse_number BETWEEN 1 AND 64", name="number"),
        sa.UniqueConstraint("station_id", "evse_number"),
    )
    op.create_table(
        "idempotency",
        sa.Column("token_id", sa.Uuid(), sa.ForeignKey("api_token.token_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("key", sa.String(200), primary_key=True),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "meter_value",
        sa.Column(
            "station_id", sa.String(48), sa.ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("evse_number", sa.Integer(), primary_key=True),
        sa.Column("station_ref", sa.String(36), primary_key=True),
        sa.Column("at", TIME, primary_key=True),
        sa.Column("measurand", sa.String(64), primary_key=True),
        sa.Column("phase", sa.String(8), primary_key=True),
        sa.Column("location", sa.String(16), primary_key=True),
        sa.Column("context", sa.String(32), primary_key=True),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
    )
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("station_id", sa.String(48), sa.ForeignKey("station.station_id", ondelete="CASCADE"), nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
    )
    op.create_index("ix_quarantine_station", "quarantine", ["station_id", "received_at"])
    op.create_table(
        "session_message",
        sa.Column(
            "station_id", sa.String(48), sa.ForeignKey("station.station_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("business_key", sa.String(128), primary_key=True),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("station_ref", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
    )
    op.create_index("ix_session_message_ref", "session_message", ["station_id", "station_ref"])
    op.create_table(
        "booking",
        sa.Column("booking_id", sa.Uuid(), primary_key=True),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id"), nullable=False),
        sa.Column("evse_id", sa.BigInteger(), sa.ForeignKey("evse.evse_id"), nullable=False),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="CASCADE"), nullable=False),
        sa.Column("vehicle_id", sa.Uuid(), sa.ForeignKey("vehicle.vehicle_id", ondelete="SET NULL")),
        sa.Column("period", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("need_wh", sa.Double(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.CheckConstraint("need_wh > 0", name="need"),
        sa.CheckConstraint("NOT isempty(period)", name="period"),
        sa.CheckConstraint("state IN ('booked', 'arrived', 'done', 'missed', 'cancelled')", name="state"),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(evse_id, evse_id, '[]')"), "&&"),
            (sa.column("period"), "&&"),
            name="ex_booking_overlap",
            using="gist",
            where=sa.text("state IN ('booked', 'arrived')"),
        ),
    )
    op.create_index("ix_booking_driver", "booking", ["driver_id"])
    op.create_index("ix_booking_site", "booking", ["site_id"])
    op.create_table(
        "charging_session",
        sa.Column("session_id", sa.Uuid(), primary_key=True),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id"), nullable=False),
        sa.Column("station_id", sa.String(48), sa.ForeignKey("station.station_id"), nullable=False),
        sa.Column("evse_id", sa.BigInteger(), sa.ForeignKey("evse.evse_id"), nullable=False),
        sa.Column("station_ref", sa.String(36), nullable=False),
        sa.Column("start_key", sa.String(64), nullable=False),
        sa.Column("token", sa.String(255)),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="SET NULL")),
        sa.Column("booking_id", sa.Uuid(), sa.ForeignKey("booking.booking_id", ondelete="SET NULL")),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("end_reason", sa.String(64)),
        sa.Column("meter_start_wh", sa.Double()),
        sa.Column("meter_last_wh", sa.Double()),
        sa.Column("delivered_wh", sa.Double(), nullable=False),
        sa.Column("departs_at", TIME, nullable=False),
        sa.Column("need_wh", sa.Double(), nullable=False),
        sa.Column("intent_source", sa.String(16), nullable=False),
        sa.Column("max_charge_w", sa.Double()),
        sa.Column("learnt_cap_w", sa.Double()),
        sa.Column("is_offline_replay", sa.Boolean(), nullable=False),
        sa.CheckConstraint("delivered_wh >= 0 AND need_wh >= 0", name="energy"),
        sa.CheckConstraint("intent_source IN ('driver', 'booking', 'learnt', 'assumed')", name="intent_source"),
        sa.CheckConstraint("ended_at IS NULL OR ended_at >= started_at", name="order"),
        sa.UniqueConstraint("station_id", "station_ref", name="uq_charging_session_ref"),
        sa.UniqueConstraint("station_id", "start_key", name="uq_charging_session_start"),
    )
    op.create_index("ix_charging_session_evse_id", "charging_session", ["evse_id"])
    op.create_index("ix_charging_session_site_id", "charging_session", ["site_id"])
    op.create_index(
        "uq_charging_session_running",
        "charging_session",
        ["evse_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "desired_limit",
        sa.Column("evse_id", sa.BigInteger(), sa.ForeignKey("evse.evse_id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "session_id", sa.Uuid(), sa.ForeignKey("charging_session.session_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("plan_id", sa.Uuid(), sa.ForeignKey("plan.plan_id", ondelete="CASCADE"), nullable=False),
        sa.Column("target_w", sa.Double(), nullable=False),
    )
    op.create_table(
        "limit_entry",
        sa.Column("order_no", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("evse_id", sa.BigInteger(), sa.ForeignKey("evse.evse_id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "session_id", sa.Uuid(), sa.ForeignKey("charging_session.session_id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("power_w", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("intended_at", TIME, nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
        sa.Column("taken_at", TIME),
        sa.Column("outcome", sa.String(16)),
        sa.Column("outcome_detail", sa.String(200)),
        sa.Column("outcome_at", TIME),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('accepted', 'refused', 'unknown', 'unsent')", name="outcome"
        ),
        sa.CheckConstraint("power_w >= 0", name="power"),
    )
    op.create_index(
        "ix_limit_entry_open", "limit_entry", ["evse_id", "order_no"], postgresql_where=sa.text("NOT is_closed")
    )
    op.create_index("ix_limit_entry_session", "limit_entry", ["session_id", "order_no"])


def downgrade() -> None:
    for table in (
        "limit_entry",
        "desired_limit",
        "charging_session",
        "booking",
        "session_message",
        "quarantine",
        "meter_value",
        "idempotency",
        "evse",
        "vehicle",
        "token",
        "station",
        "site_reading",
        "plan",
        "forecast",
        "api_token",
        "stranger",
        "site",
        "driver",
    ):
        op.drop_table(table)
