import pytest
from cases import play
from semantic_table import ROWS

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
async def test_an_odd_message_gets_its_answer(house, neighbours, row):
    await play(house, row)
    neighbours.unharmed()


async def test_the_neighbours_of_odd_messages_notice_nothing(neighbours):
    await neighbours.settle()
