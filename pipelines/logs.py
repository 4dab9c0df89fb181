"""Logs: lines for people on a terminal, JSON objects, one a line, everywhere else."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """Records as JSON objects: time, severity, logger, message (the names that Cloud Logging knows), and a record's ``fields``."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat()  # with its zone, as Cloud Logging reads it
        told = {"time": time, "severity": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(getattr(record, "fields", {}) | told, ensure_ascii=False, default=str)


def start() -> None:
    """Log from INFO up to standard error."""
    handler = logging.StreamHandler()
    lines = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(lines if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("apache_beam").setLevel(logging.WARNING)  # its INFO is about type hints and caches
    logging.getLogger("apache_beam.runners.portability.local_job_service").setLevel(logging.ERROR)  # warns at every start
