"""How many cases there are: every name once, both versions in every group."""

import sys
from collections import Counter

import frame_table
import handshake_table
import json_table
import pytest
import schema_table
import semantic_table
import sequence_table
from cases import V16, V201

GROUPS = {
    "handshake": handshake_table.KNOCKS,
    "frame": frame_table.ROWS,
    "JSON": json_table.ROWS,
    "schema": schema_table.ROWS,
    "semantics": semantic_table.ROWS,
    "sequence": sequence_table.ROWS,
}
LEAST_COUNT, LEAST_OF_A_GROUP_COUNT = 80, 10


def test_the_tables_have_their_cases(capsys):
    titles = {group: [row.title for row in rows] for group, rows in GROUPS.items()}
    names = {(group, row.name) for group, rows in GROUPS.items() for row in rows}
    with capsys.disabled():
        counts = ", ".join(f"{len(each)} {group}" for group, each in titles.items())
        row_count = sum(map(len, titles.values()))
        sys.stdout.write(f"\nhostile and quirky inputs: {row_count} rows of {len(names)} names: {counts}\n")
    assert len(names) >= LEAST_COUNT


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_has_both_versions_and_no_name_twice(group):
    rows = GROUPS[group]
    by_version = Counter(row.version for row in rows)
    assert min(by_version[V16], by_version[V201]) >= LEAST_OF_A_GROUP_COUNT
    assert [title for title, count in Counter(row.title for row in rows).items() if count > 1] == []
