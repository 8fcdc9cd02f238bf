"""Past stays and what was learnt from them, the price of a missed kWh, tariffs, and which planner made a plan."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.Double()


def upgrade() -> None:
    op.add_column("site", sa.Column("miss_cost_ratio", NUMBER, nullable=False, server_default="6"))
    op.add_column("site", sa.Column("tariff", postgresql.JSONB()))
    op.create_check_constraint("miss_cost_ratio", "site", "miss_cost_ratio >= 0 AND miss_cost_ratio <= 100")
    op.add_column("plan", sa.Column("planner", sa.String(64)))
    op.add_column("plan", sa.Column("inputs_zip", sa.LargeBinary()))
    op.alter_column("plan", "inputs", server_default="")
    op.add_column("driver", sa.Column("is_learnt_from", sa.Boolean(), nullable=False, server_default="true"))
    op.add_column("driver", sa.Column("habits_since_at", TIME))
    op.add_column("charging_session", sa.Column("intent_basis", sa.String(200)))
    op.create_table(
        "past_stay",
        sa.Column(
            "session_id", sa.Uuid(), sa.ForeignKey("charging_session.session_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), nullable=False),
        sa.Column("driver_id", sa.Uuid(), sa.ForeignKey("driver.driver_id", ondelete="SET NULL")),
        sa.Column("arrived_at", TIME, nullable=False),
        sa.Column("left_at", TIME, nullable=False),
        sa.Column("declared_at", TIME),
        sa.Column("asked_wh", NUMBER),
        sa.Column("taken_wh", NUMBER, nullable=False),
        sa.CheckConstraint("left_at >= arrived_at", name="order"),
        sa.CheckConstraint("asked_wh >= 0 AND taken_wh >= 0", name="energy"),
    )
    op.create_index("ix_past_stay_site", "past_stay", ["site_id", "left_at"])
    op.create_index("ix_past_stay_driver", "past_stay", ["driver_id"])
    op.create_table(
        "learnt_stays",
        sa.Column("site_id", sa.String(48), sa.ForeignKey("site.site_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("learnt_id", sa.Uuid(), nullable=False),
        sa.Column("learnt_at", TIME, nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("stays_count", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("learnt_stays")
    op.drop_table("past_stay")
    op.execute("UPDATE plan SET inputs = '{}' WHERE inputs = ''")
    op.alter_column("plan", "inputs", server_default=None)
    op.drop_column("plan", "inputs_zip")
    op.drop_column("charging_session", "intent_basis")
    op.drop_column("driver", "habits_since_at")
    op.drop_column("driver", "is_learnt_from")
    op.drop_column("plan", "planner")
    op.drop_constraint(op.f("ck_site_miss_cost_ratio"), "site")
    op.drop_column("site", "tariff")
    op.drop_column("site", "miss_cost_ratio")
