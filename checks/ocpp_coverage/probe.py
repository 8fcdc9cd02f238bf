"""What the raw door makes of an action: its classifier is asked about payloads made from the action's schema."""

from collections.abc import Callable
from typing import Any

from app.domain.raw import Effect, Impact

WORDS = ("x", "password")  # a setting's name that is nobody's business, and one that is
MOST_CHOICES_COUNT = 12


def raw_class(classify: Callable[[dict[str, Any]], Impact | None], schema: dict[str, Any]) -> str:
    """Return the effects that payloads of this schema can have; empty where nobody has classified them."""
    payloads = [
        sample(schema, schema.get("definitions", {}), word, choice, is_full=is_full)
        for word in WORDS
        for choice in range(MOST_CHOICES_COUNT)
        for is_full in (False, True)
    ]
    effects = {impact.effect for payload in payloads if (impact := classify(payload)) is not None}
    named = [str(effect) for effect in Effect if effect in effects and effect is not Effect.FORBIDDEN]
    if Effect.FORBIDDEN in effects:
        named.append("forbidden for some" if named else "forbidden")
    return ", ".join(named)


def sample(schema: dict[str, Any], definitions: dict[str, Any], word: str, choice: int, *, is_full: bool) -> Any:
    """Return a payload of a schema: all texts are `word`, of each enumeration the `choice`-th, full or minimal."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[-1]]
    if "enum" in schema:
        return schema["enum"][choice % len(schema["enum"])]
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {
                key: sample(each, definitions, word, choice, is_full=is_full)
                for key, each in schema.get("properties", {}).items()
                if is_full or key in required
            }
        case "array":
            return [sample(schema["items"], definitions, word, choice, is_full=is_full)]
        case "integer":
            return 1
        case "number":
            return 1.0
        case "boolean":
            return True
        case _:
            return word
