"""Structured logs on stderr: one line an event, with the time, the level and named values."""

import logging
import sys

import structlog


def configure_logs(level: str) -> None:
    """Send everything, the libraries' logs included, to stderr; frames and secrets are never logged by our rooms."""
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"]),
        ],
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, force=True)
    # A task that is cancelled in a transaction costs its connection; the pool tells of it as an error with a traceback.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
