"""Forecasts with bands and methods, where the sun of a site comes from, and feeds."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.Double()
NUMBERS = postgresql.ARRAY(NUMBER)
SUN = ("latitude_deg", "longitude_deg", "pv_peak_w", "pv_tilt_deg", "pv_azimuth_deg")


def upgrade() -> None:
    for column in SUN:
        op.add_column("site", sa.Column(column, NUMBER))
    op.create_check_constraint("sun", "site", "abs(latitude_deg) <= 90 AND abs(longitude_deg) <= 180 AND pv_peak_w > 0")
    op.add_column("forecast", sa.Column("method", sa.String(32), nullable=False, server_default="pushed"))
    for column in ("pv_p10_w", "pv_p90_w", "arrivals_count"):
        op.add_column("forecast", sa.Column(column, NUMBERS))
    op.create_check_constraint(
        "bands", "forecast", "cardinality(pv_p10_w) = cardinality(pv_w) AND cardinality(pv_p90_w) = cardinality(pv_w)"
    )
    op.create_table(
        "forecast_feed",
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("resource", sa.String(100)),
        sa.Column("key", sa.String(200)),
        sa.Column("every", postgresql.INTERVAL(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("tried_at", TIME),
        sa.Column("fetched_at", TIME),
        sa.Column("failures_count", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("problem", sa.String(300)),
    )


def downgrade() -> None:
    op.drop_table("forecast_feed")
    op.drop_constraint(op.f("ck_forecast_bands"), "forecast")
    for column in ("arrivals_count", "pv_p90_w", "pv_p10_w", "method"):
        op.drop_column("forecast", column)
    op.drop_constraint(op.f("ck_site_sun"), "site")
    for column in reversed(SUN):
        op.drop_column("site", column)
