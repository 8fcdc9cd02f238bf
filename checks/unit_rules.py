"""The words of the unit check: units, what needs none, and the few names that are excused, each with its reason."""

UNITS = frozenset(
    {
        # power, energy, electricity
        "w", "kw", "mw", "wh", "kwh", "mwh", "a", "ah", "v", "va", "kva", "hz", "ohm",
        # time as a plain number
        "s", "ms", "us", "ns", "minutes", "h", "hours", "days",
        # length, mass, angle, temperature, money, data
        "m", "km", "deg", "kg", "g", "degrees", "c", "k", "jpy", "eur", "usd", "bytes",
    }
)  # fmt: skip

DIMENSIONLESS = frozenset({"ratio", "share", "count", "factor", "percent", "probability", "weight", "cost", "score"})

# What a name is about when it holds one of these words; then even a whole number needs its unit.
QUANTITIES = frozenset({"power", "energy", "voltage", "timeout", "duration", "delay", "interval", "distance"})

INSTANTS = frozenset({"at", "now"})

# Names that may carry a number or an instant without a unit: (file, name) → why. A file ending in "/" is a folder.
EXCUSED: dict[tuple[str, str], str] = {
    ("app/domain/commands.py", "limit"): "A or W, as the profile's rate unit beside it says",
    ("app/domain/facts.py", "value"): "in the unit that the sample names beside it",
    ("app/scheduling/site_model.py", "margin"): "A or kW, as the unit beside it says",
    ("app/scheduling/site_model.py", "rating"): "A or kW, as the unit beside it says",
    ("app/scheduling/site_model.py", "reserve"): "A or kW, as the unit beside it says",
    ("app/scheduling/site_model.py", "rise"): "A or kW, as the unit beside it says",
    ("app/scheduling/site_model.py", "than"): "the same unit as what it is compared with",
    ("app/scheduling/burdens.py", "_missing"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "amount"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "headroom"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "in_force"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "left_for_cars"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "load"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "margin"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "missing_resting"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "missing_safe"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "rating"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "reserve"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "resting"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "safe"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "surprise"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "surprised"): "A or W, as the row's key says",
    ("app/scheduling/burdens.py", "uncontrolled"): "A or W, as the row's key says",
    ("app/store/session.py", "value"): "in the unit that the row names beside it",
    ("app/demo/conductor.py", "reached"): "business seconds per second: a ratio",
    ("app/demo/conductor.py", "ceiling"): "business seconds per second: a ratio",
    ("app/demo/", "speed"): "business seconds per second: a ratio",
    ("app/cli.py", "speed"): "business seconds per second: a ratio",
    ("app/operations/habits.py", "low"): "minutes, Wh or a share, as the field of the habits says",
    ("app/operations/habits.py", "middle"): "minutes, Wh or a share, as the field of the habits says",
    ("app/operations/habits.py", "high"): "minutes, Wh or a share, as the field of the habits says",
    ("app/operations/habits.py", "values"): "minutes, Wh or shares",
    ("app/api/v1/limit_report.py", "headroom"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "in_force"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "margin"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "missing_unattended"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "more"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "rating"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "reserve"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "resting"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "told"): "A or kW, as `unit` says",
    ("app/api/v1/limit_report.py", "uncontrolled"): "A or kW, as `unit` says",
    ("app/backtest/foresight.py", "lower"): "the bound of a row, in whatever the row adds up",
    ("app/backtest/foresight.py", "upper"): "the bound of a row or column, in whatever it stands for",
    ("app/scheduling/feeders.py", "GUARD"): "of A or W, as the row's key says",
    ("app/scheduling/feeders.py", "capacity"): "A or W, as the row's key says",
    ("app/scheduling/feeders.py", "load"): "A or W, as the row's key says",
    ("app/scheduling/feeders.py", "most"): "A or W, as the row's key says",
    ("app/scheduling/filling.py", "FULL"): "of A or W, as the row's key says",
    ("app/scheduling/filling.py", "room"): "A or W, as the row's key says",
    ("proofs/crash/cars.py", "tick"): "an act, named by its verb; it returns W",
    ("proofs/crash/command.py", "_positive"): "any number of the command line",
    ("proofs/crash/wires.py", "peak"): "A or W, as the conductor says",
    ("proofs/crash/wires.py", "rating"): "A or W, as the conductor says",
    ("app/scheduling/profiles.py", "_limit"): "A or W, as the rate unit says",
    ("app/scheduling/profiles.py", "ROUNDING_GUARD"): "of A or W, as the rate unit says",
    ("app/scheduling/rounding.py", "HALF"): "just the number",
    ("simulators/__main__.py", "_positive"): "any number of the command line",
    ("simulators/evse.py", "tick"): "an act, named by its verb; it returns W",
    ("simulators/profiles.py", "limit"): "A or W, as the profile's rate unit beside it says",
    ("app/demo/report.py", "LEAST_OF_FORESIGHT"): "a share of the best solar share",
}
