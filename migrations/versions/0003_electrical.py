"""The electrical tree, alarms, leadership with fencing, and what the real-time loop reads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
NUMBER = sa.Double()
JSONB = postgresql.JSONB()


# A house holds this lock for as long as one connection of its own lives.
IS_PRESENT = """
CREATE FUNCTION is_present(house text) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT NOT pg_try_advisory_xact_lock_shared(hashtextextended('house ' || house, 0))
$$
"""

# Locks the site for the transaction and returns the term of a house that leads it, or takes the lead where nobody
# does; NULL, without waiting for the lock, where another house leads. All times are the server's.
LEAD_SITE = """
CREATE FUNCTION lead_site(of_site text, house text, lease interval, longest_pause interval) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    found site_leader;
BEGIN
    SELECT * INTO found FROM site_leader WHERE site_id = of_site;
    IF found.holder <> house AND found.ends_at > clock_timestamp() AND is_present(found.holder) THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('idle_in_transaction_session_timeout', extract(epoch FROM longest_pause)::int || 's', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('power ' || of_site, 0));
    SELECT * INTO found FROM site_leader WHERE site_id = of_site;
    IF found.site_id IS NULL THEN
        INSERT INTO site_leader (site_id, term, holder, ends_at)
            SELECT site_id, 1, house, clock_timestamp() + lease FROM site WHERE site_id = of_site;
        RETURN 1;
    ELSIF found.holder = house THEN
        IF found.ends_at < clock_timestamp() + lease / 2 THEN
            UPDATE site_leader SET ends_at = clock_timestamp() + lease WHERE site_id = of_site;
        END IF;
        RETURN found.term;
    ELSIF found.ends_at > clock_timestamp() AND is_present(found.holder) THEN
        RETURN NULL;
    END IF;
    UPDATE site_leader SET term = found.term + 1, holder = house, ends_at = clock_timestamp() + lease
        WHERE site_id = of_site;
    RETURN found.term + 1;
END
$$
"""

# SL009: rule R9. The share lock keeps the term from being raised before what was written under it is committed.
REFUSE_OTHER_TERMS = """
CREATE FUNCTION refuse_other_terms() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stale record;
BEGIN
    PERFORM 1 FROM site_leader WHERE site_id IN (
        SELECT station.site_id FROM written JOIN evse USING (evse_id) JOIN station USING (station_id)
    ) ORDER BY site_id FOR SHARE;
    SELECT written.order_no, written.term, coalesce(site_leader.term, 0) AS current_term, station.site_id INTO stale
        FROM written JOIN evse USING (evse_id) JOIN station USING (station_id) LEFT JOIN site_leader USING (site_id)
        WHERE written.term <> coalesce(site_leader.term, 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'limit of site % written under term %, but term % leads',
            stale.site_id, stale.term, stale.current_term USING ERRCODE = 'SL009';
    END IF;
    RETURN NULL;
END
$$
"""


def upgrade() -> None:
    _site()
    _evse()
    _feeder()
    _alarm()
    _leader()
    _following()
    _watch()


def _site_key() -> sa.ForeignKey:
    return sa.ForeignKey("site.site_id", ondelete="CASCADE")


def _site() -> None:
    op.add_column("site", sa.Column("surprised_count", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("site", sa.Column("low_voltage_share", NUMBER, nullable=False, server_default="0.9"))
    op.add_column("site", sa.Column("rise_w", NUMBER))
    op.add_column("site", sa.Column("demand_target_w", NUMBER))
    op.add_column("site", sa.Column("reading_refused_at", TIME))
    op.add_column("site", sa.Column("reading_refused_for", sa.String(200)))
    op.create_check_constraint(
        "surprises", "site", "surprised_count >= 0 AND low_voltage_share > 0 AND low_voltage_share <= 1"
    )
    op.create_check_constraint("targets", "site", "rise_w >= 0 AND demand_target_w > 0")
    op.add_column("site_reading", sa.Column("grid_w", NUMBER))
    op.add_column("site_reading", sa.Column("loads", JSONB))
    op.add_column("site_reading", sa.Column("totals", JSONB))


def _evse() -> None:
    op.add_column("station", sa.Column("lease_slack", postgresql.INTERVAL()))
    op.add_column("evse", sa.Column("feeder_id", sa.String(48)))
    op.add_column("evse", sa.Column("wiring", sa.String(16), nullable=False, server_default="unknown"))
    op.add_column("evse", sa.Column("min_current_a", NUMBER))
    op.add_column("evse", sa.Column("is_dc", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("evse", sa.Column("verified_as", sa.String(64)))
    op.add_column("evse", sa.Column("distrusted_at", TIME))
    op.add_column("evse", sa.Column("distrusted_for", sa.String(200)))
    op.add_column("evse", sa.Column("installed_at", TIME))
    op.add_column("evse", sa.Column("unproven_for", sa.String(200)))
    op.add_column("evse", sa.Column("surprised_at", TIME))
    op.add_column("evse", sa.Column("surprised_for", sa.String(200)))


def _feeder() -> None:
    op.create_table(
        "feeder",
        sa.Column("site_id", sa.String(48), _site_key(), primary_key=True),
        sa.Column("feeder_id", sa.String(48), primary_key=True),
        sa.Column("parent_id", sa.String(48)),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rating_a", NUMBER),
        sa.Column("limit_w", NUMBER),
        sa.Column("margin_a", NUMBER, nullable=False),
        sa.Column("margin_w", NUMBER, nullable=False),
        sa.Column("reserve_a", NUMBER, nullable=False),
        sa.Column("reserve_w", NUMBER, nullable=False),
        sa.Column("rise_a", NUMBER),
        sa.Column("rise_w", NUMBER),
        sa.CheckConstraint("rating_a > 0 AND limit_w > 0", name="ratings"),
        sa.CheckConstraint("margin_a >= 0 AND margin_w >= 0 AND reserve_a >= 0 AND reserve_w >= 0", name="margins"),
        sa.CheckConstraint("rise_a >= 0 AND rise_w >= 0", name="rises"),
    )


def _alarm() -> None:
    op.create_table(
        "alarm",
        sa.Column("alarm_id", sa.BigInteger(), sa.Identity(), primary_key=True),
        sa.Column("site_id", sa.String(48), _site_key(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(100), nullable=False),
        sa.Column("detail", JSONB, nullable=False),
        sa.Column("began_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
    )
    is_open = sa.text("ended_at IS NULL")
    op.create_index("uq_alarm_open", "alarm", ["site_id", "kind", "subject"], unique=True, postgresql_where=is_open)
    op.create_index("ix_alarm_site", "alarm", ["site_id", "alarm_id"])


def _leader() -> None:
    op.create_table(
        "site_leader",
        sa.Column("site_id", sa.String(48), _site_key(), primary_key=True),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("ends_at", TIME, nullable=False),
    )
    op.add_column("limit_entry", sa.Column("lease_ends_at", TIME))
    op.add_column("limit_entry", sa.Column("term", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(IS_PRESENT)
    op.execute(LEAD_SITE)
    op.execute(REFUSE_OTHER_TERMS)
    op.execute(
        "CREATE TRIGGER limit_entry_fence AFTER INSERT ON limit_entry REFERENCING NEW TABLE AS written "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_other_terms()"
    )


def _following() -> None:
    op.add_column("plan", sa.Column("surplus_w", NUMBER, nullable=False, server_default="0"))
    for name in ("planned_w", "must_w", "most_w", "need_wh"):
        op.add_column("desired_limit", sa.Column(name, NUMBER))
    op.add_column("desired_limit", sa.Column("departs_at", TIME))
    op.add_column("limit_entry", sa.Column("switched_at", TIME))


def _watch() -> None:
    op.create_table(
        "evse_watch",
        sa.Column("evse_id", sa.BigInteger(), sa.ForeignKey("evse.evse_id", ondelete="CASCADE"), primary_key=True),
        sa.Column("above_at", TIME),
        sa.Column("steady_at", TIME),
        sa.Column("paused_at", TIME),
        sa.Column("ignored", sa.String(8)),
        sa.Column("ignored_at", TIME),
        sa.Column("step_count", sa.Integer(), nullable=False),
        sa.Column("stepped_at", TIME),
        sa.Column("restarted_at", TIME),
        sa.Column("remedy", sa.String(8)),
        sa.CheckConstraint("ignored IN ('pause', 'resume')", name="ignored"),
        sa.CheckConstraint("remedy IN ('ask', 'stop', 'start')", name="remedy"),
        sa.CheckConstraint("step_count >= 0", name="step_count"),
    )


def downgrade() -> None:
    op.drop_table("evse_watch")
    op.drop_column("limit_entry", "switched_at")
    for column in ("departs_at", "need_wh", "most_w", "must_w", "planned_w"):
        op.drop_column("desired_limit", column)
    op.drop_column("plan", "surplus_w")
    op.execute("DROP TRIGGER limit_entry_fence ON limit_entry")
    for function in ("refuse_other_terms()", "lead_site(text, text, interval, interval)", "is_present(text)"):
        op.execute(f"DROP FUNCTION {function}")
    for table in ("site_leader", "alarm", "feeder"):
        op.drop_table(table)
    for column in ("term", "lease_ends_at"):
        op.drop_column("limit_entry", column)
    for column in ("surprised_for", "surprised_at", "unproven_for", "installed_at"):
        op.drop_column("evse", column)
    for column in ("distrusted_for", "distrusted_at", "verified_as", "is_dc", "min_current_a", "wiring", "feeder_id"):
        op.drop_column("evse", column)
    op.drop_column("station", "lease_slack")
    for column in ("totals", "loads", "grid_w"):
        op.drop_column("site_reading", column)
    for constraint in ("targets", "surprises"):
        op.drop_constraint(op.f(f"ck_site_{constraint}"), "site")
    for column in (
        "reading_refused_for",
        "reading_refused_at",
        "demand_target_w",
        "rise_w",
        "low_voltage_share",
        "surprised_count",
    ):
        op.drop_column("site", column)
