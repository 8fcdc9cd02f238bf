"""The API's own description, for authenticated callers."""

from typing import Any

from fastapi import APIRouter, Request

from app.api.deps import Anybody
from app.api.problems import MEDIA_TYPE, documented

router = APIRouter(prefix="/v1", tags=["contract"])

FIRST_ERROR_STATUS = "400"


@router.get("/openapi.json", responses=documented(), operation_id="get_openapi", summary="Get the OpenAPI document")
async def get_openapi(request: Request, _: Anybody) -> dict[str, Any]:
    """Get this document."""
    return with_problem_type(request.app.openapi())


def with_problem_type(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with every error response under its true media type; FastAPI writes the routes' own."""
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if status >= FIRST_ERROR_STATUS and "application/json" in content:
                    content[MEDIA_TYPE] = content.pop("application/json")
    return document
