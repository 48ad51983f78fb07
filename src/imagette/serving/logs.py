"""Logs as lines of JSON on standard error."""

import json
import logging
from datetime import UTC, datetime

requests = logging.getLogger("imagette.requests")
"""One record a request, its fields in the attribute `fields`."""


def write_json() -> None:
    """Write the package's log, requests included, as JSON from now on."""
    logger = logging.getLogger("imagette")
    if not any(isinstance(handler.formatter, JsonFormatter) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """`time` (RFC 3339, UTC), `level`, `message`, and what the record's `fields` holds."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
