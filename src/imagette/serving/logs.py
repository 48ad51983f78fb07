"""Logs as lines of JSON on standard error."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from imagette.serving.batcher import Batcher


def configure_json_logging() -> None:
    """Write the package's log as JSON from now on, all but requests; OpenTelemetry's too."""
    for name, level in (("imagette", logging.INFO), ("opentelemetry", logging.WARNING)):
        logger = logging.getLogger(name)
        if not any(isinstance(handler.formatter, JsonFormatter) for handler in logger.handlers):
            handler = logging.StreamHandler()
            handler.setFormatter(JsonFormatter())
            logger.addHandler(handler)
        logger.setLevel(level)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """`time` (RFC 3339, UTC), `level`, `message`, and what the record's `fields` holds."""
        line = {
            "time": _clock(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return to_json(line).decode()


class RequestLog:
    """One line of JSON a request, written within a moment."""

    def __init__(self) -> None:
        self._lines = Batcher(_write)
        self.flush = self._lines.flush

    def write(self, fields: dict[str, Any]) -> None:
        """Write a line of these fields soon; `time` is Unix time."""
        self._lines.add(fields)


def _write(some: list[dict[str, Any]]) -> None:
    for fields in some:
        fields["time"] = _clock(fields["time"])
    lines = map(to_json, some)
    sys.stderr.write(b"\n".join(lines).decode() + "\n")
    sys.stderr.flush()


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
