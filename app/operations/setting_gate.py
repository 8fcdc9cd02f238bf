"""The gate of settings (site-limit rule R10): which ones only Sunslot itself changes, by their names. Pure.

Names are a vendor's choice, in any language and shortened in any way, so that in doubt a setting stays closed: what can
be about power, current, phases, their limits or what caps them, and what decides how the station logs in. What passes
of the standards' own settings is listed in `tests/operations/test_setting_gate.py`.
"""

import re

from app.domain.errors import Invalid

LIMIT_PARTS = re.compile(
    # what flows, and what it flows through
    r"power|pwr|current|curr(?!y)|(?<!st)(?<!l)amp(?!l)|watt|volt|phas|kilo.?w|kva|fuse|breaker|contactor|wiring|cable"
    r"|electrical.?feed|distribution.?panel|protection|converter|inverter|rectifier|pilot|pwm|duty.?cycle|[13].?ph"
    # what caps it
    r"|limit|throttl|ceiling|derat|capacity|nominal|rate|set.?point|dip.?sw|profile|schedule|smart.?charg|factory"
    r"|load.?(balanc|manag|shar|shed)|(un|im)balanc|max.?charg|charg\w*.?max|max.?kw|kw.?max|kw$|i.?max$|p.?max$"
    r"|fail.?safe|fall.?back|boost"
    # German, Dutch, Nordic
    r"|strom|leistung|spannung|sicherung|begrenz|drossel|schieflast|stroom|vermogen|zekering|begrens|spanning|effekt"
    r"|sikring|sakring|fase|faza"
    # French, Spanish, Italian, Portuguese
    r"|courant|puissance|intensit[ea]|intensid|fusib|tension|plafond|corrient|corrent|potenc|potenz|disyuntor"
    # Japanese, Chinese, Korean in Latin letters
    r"|denry|teikaku|jou?gen|seigen|den.?atsu|dianliu|gongl[uv]|xianliu|dianya|jeonryu|jeollyeok",
    re.IGNORECASE,
)
LIMIT_WORDS = frozenset(
    {"amp", "amps", "bems", "ct", "cts", "cur", "dlb", "dlm", "eding", "ems", "fas", "hems", "i", "icc", "imax", "l1"}
    | {"l2", "l3", "lim", "ma", "nom", "pmax", "prad", "rated", "rating", "ratings", "rcd", "va"}
)
IDENTITY = re.compile(
    r"authori[sz]ation.?key|auth.?key|basic.?auth|password|security.?profile|network.?conf|central.?(system|url)|identity"
    r"|(ocpp|csms|server|back.?end|web.?socket|ws).?(url|uri|addr|host|server|endpoint)",
    re.IGNORECASE,
)
SAMPLING = re.compile(r"meter.?value.?sample|meter.?values.?sampled|sampled.?data", re.IGNORECASE)
MEASURANDS = re.compile(r"sampled.?data$|measurands$", re.IGNORECASE)
TELLS_CURRENT = re.compile(r"power\.active\.import|current\.import", re.IGNORECASE)
SWITCHED_OFF = frozenset({"", "0", "false", "no", "off"})
WORD = re.compile(r"[A-Z]+(?![a-z])\d*|[A-Z]?[a-z]+\d*|\d+")


def check_setting(name: str, value: str | None = None) -> None:
    """Raise Invalid, naming the field, for a setting that only Sunslot itself may change, or that hides its name.

    No version knows a name that is not ASCII, so letters that only look like those of a limit have no honest use. What
    a station samples may be changed, but not switched off (`value`, where it is known): nobody would see any more
    whether it keeps its limits.
    """
    if not (name.isascii() and name.isprintable()):
        raise Invalid("no setting has such characters in its name", field="name")
    if IDENTITY.search(name):
        raise Invalid("decides how the station logs in; it is not changed here", field="name")
    if is_about_limits(name):
        raise Invalid("may change the charging limit, which only the scheduler sets", field="name")
    if value is not None and SAMPLING.search(name) and _blinds(name, value):
        raise Invalid("without it nobody sees whether the station keeps its limits", field="value")


def is_about_limits(name: str) -> bool:
    """Whether a setting of this name may have to do with what a station lets flow."""
    words = [word.lower() for word in WORD.findall(name)]
    is_in_amperes = len(words) > 1 and words[-1] == "a"
    return bool(LIMIT_PARTS.search(name)) or is_in_amperes or not LIMIT_WORDS.isdisjoint(words)


def _blinds(name: str, value: str) -> bool:
    is_off = value.strip().lower() in SWITCHED_OFF
    is_aside = re.search(r"started|ended|sign", name, re.IGNORECASE) is not None
    return not is_aside and (is_off or (MEASURANDS.search(name) is not None and not TELLS_CURRENT.search(value)))
