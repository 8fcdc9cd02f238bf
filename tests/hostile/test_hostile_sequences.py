import pytest
from cases import play
from sequence_table import ROWS

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
async def test_an_odd_sequence_leaves_the_right_sessions(house, neighbours, row):
    await play(house, row)
    neighbours.unharmed()


async def test_the_neighbours_of_odd_sequences_notice_nothing(neighbours):
    await neighbours.settle()
