import pytest
from cases import play
from schema_table import ROWS

pytestmark = [pytest.mark.database, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
async def test_a_payload_that_breaks_the_schema_gets_its_answer(house, neighbours, row):
    await play(house, row)
    neighbours.unharmed()


async def test_the_neighbours_of_broken_schemas_notice_nothing(neighbours):
    await neighbours.settle()
