"""What AWS Lambda is to a function, on this machine: the API that its runtime speaks to.

The function runs as there: its handler is called by the runtime interface client, AWS' own, which
asks for events and hands back answers over HTTP.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import files
from pathlib import Path
from queue import Empty, Queue
from typing import Any

HANDLER = "imagette.serving.aws_lambda.handler"
CALLER = "203.0.113.7"
"""Who asks, in every event."""


class LocalLambda(ThreadingHTTPServer):
    """One process of the function.

    Args:
        path: folders to import from, the function's package first, then the client's.
        command: what runs Python, such as `["taskset", "-c", "0"]`.
        environment: the function's variables; nothing else of this process' gets in.
    """

    daemon_threads = True

    def __init__(self, path: list[Path], command: tuple[str, ...] = (), **environment: str) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApi)
        self.events: Queue[bytes] = Queue()
        self.answers: Queue[tuple[str, Any]] = Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "imagette",
            "LAMBDA_TASK_ROOT": str(path[0]),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PATH": os.defpath,
        }
        # The interpreter that the virtual environment was made from, with -S: nothing that is
        # installed here stands in for something that the package lacks.
        python = getattr(sys, "_base_executable", sys.executable)
        self.process = subprocess.Popen(
            [*command, python, "-S", "-m", "awslambdaric", HANDLER],
            env=variables | environment,
            cwd=path[0],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def call(self, event: dict[str, Any]) -> dict[str, Any]:
        """The function's answer to an event.

        Raises:
            AssertionError: it failed, or gave no answer within a minute.
        """
        self.events.put(json.dumps(event).encode())
        for _ in range(600):
            try:
                kind, answer = self.answers.get(timeout=0.1)
            except Empty:
                assert self.process.poll() is None, self.stop()
                continue
            assert kind == "response", answer
            return answer
        raise AssertionError(f"no answer:\n{self.stop()}")

    def stop(self) -> str:
        """End the process; all that it printed."""
        self.process.kill()
        printed, _ = self.process.communicate()
        self.shutdown()
        self.server_close()
        return printed.decode(errors="replace")

    def handle_error(self, *_: Any) -> None:
        """A function that was stopped resets its connection."""


class _RuntimeApi(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LocalLambda

    def do_GET(self) -> None:
        """The next event, once there is one."""
        self._reply(200, self.server.events.get())

    def do_POST(self) -> None:
        """An answer, or an error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.rpartition("/")[2], json.loads(body)))
        self._reply(202, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Lambda-Runtime-Aws-Request-Id", "1"),
            ("Lambda-Runtime-Deadline-Ms", int(time.time() * 1000) + 30_000),
            ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-3:1:function:imagette"),
            ("Content-Type", "application/json"),
            ("Content-Length", len(body)),
        ):
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def copy_client(folder: Path) -> Path:
    """Put the runtime interface client, with what it needs, into a folder of its own."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in files(name) or ():
            if file.suffix in (".py", ".so", ".pyc") and ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
    return folder


Pairs = dict[str, str] | None


def rest_event(
    method: str, path: str, body: bytes = b"", headers: Pairs = None, query: Pairs = None
) -> dict[str, Any]:
    """What a REST API of API Gateway makes of a request (version 1.0), its body in base64."""
    several = {name: [value] for name, value in (headers or {}).items()}
    parameters = {name: [value] for name, value in (query or {}).items()}
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method,
        "headers": headers or {}, "multiValueHeaders": several,
        "queryStringParameters": query, "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": path.lstrip("/")}, "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}", "httpMethod": method, "path": f"/prod{path}",
            "stage": "prod", "protocol": "HTTP/1.1",
            "identity": {"sourceIp": CALLER, "userAgent": "curl/8"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }  # fmt: skip


def http_event(
    method: str, path: str, body: bytes = b"", headers: Pairs = None, query: Pairs = None
) -> dict[str, Any]:
    """What an HTTP API of API Gateway, or a function URL, makes of a request (version 2.0)."""
    http = {"method": method, "path": path, "protocol": "HTTP/1.1"}
    event = {
        "version": "2.0", "routeKey": "$default", "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "headers": {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "accountId": "123456789012", "requestId": "id", "stage": "$default",
            "domainName": "abc.execute-api.eu-west-3.amazonaws.com",
            "http": http | {"sourceIp": CALLER, "userAgent": "curl/8"},
        },
        "isBase64Encoded": bool(body),
    }  # fmt: skip
    if query:
        event["queryStringParameters"] = query
    if body:
        event["body"] = base64.b64encode(body).decode()
    return event
