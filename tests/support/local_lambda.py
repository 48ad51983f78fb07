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
from itertools import count
from pathlib import Path
from queue import Empty, Queue
from typing import Any

HANDLER = "imagette.serving.aws_lambda.handler"
_ARN = "arn:aws:lambda:eu-west-3:123456789012:function:imagette"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A function that was stopped resets its connection."""


class LocalLambda:
    """One process of a function.

    Args:
        path: folders to import from, the function's package first, then the client's.
        handler: what is called, `module.function`.
        command: what runs Python, such as `["taskset", "-c", "0"]`.
        environment: the function's variables; nothing else of this process' gets in.
    """

    def __init__(
        self,
        path: list[Path],
        handler: str = HANDLER,
        command: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        self._events: Queue[bytes] = Queue()
        self._answers: Queue[tuple[str, Any]] = Queue()
        self._server = _Server(("127.0.0.1", 0), self._make_handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        variables = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "imagette",
            "LAMBDA_TASK_ROOT": str(path[0]),
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PATH": os.defpath,
        }
        # -S: nothing that is installed here stands in for something that the package lacks.
        self.process = subprocess.Popen(
            [*command, _plain_python(), "-S", "-m", "awslambdaric", handler],
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
        self._events.put(json.dumps(event).encode())
        return self.next_answer()

    def next_answer(self) -> dict[str, Any]:
        """The answer to the event that was asked about first."""
        for _ in range(600):
            try:
                kind, answer = self._answers.get(timeout=0.1)
            except Empty:
                assert self.process.poll() is None, self.stop()
                continue
            assert kind == "response", answer
            return answer
        raise AssertionError(f"no answer:\n{self.stop()}")

    def processor_seconds(self) -> float:
        """How long the process has kept a processor busy."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_memory(self) -> int:
        """The most memory that the process took, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024

    def stop(self) -> str:
        """End the process; all that it printed."""
        self.process.kill()
        printed, _ = self.process.communicate()
        self._server.shutdown()
        self._server.server_close()
        return printed.decode(errors="replace")

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        events, answers, numbers = self._events, self._answers, count(1)

        class RuntimeApi(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """The next event, once there is one."""
                event = events.get()
                self._reply(
                    200,
                    event,
                    {
                        "Lambda-Runtime-Aws-Request-Id": str(next(numbers)),
                        "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
                        "Lambda-Runtime-Invoked-Function-Arn": _ARN,
                        "Content-Type": "application/json",
                    },
                )

            def do_POST(self) -> None:
                """An answer, or an error."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answers.put((self.path.rpartition("/")[2], json.loads(body)))
                self._reply(202, b"", {})

            def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(status)
                for name, value in (headers | {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        return RuntimeApi


def copy_client(folder: Path) -> Path:
    """Put the runtime interface client, with what it needs, into a folder of its own."""
    for name in ("awslambdaric", "simplejson", "snapshot-restore-py"):
        for file in files(name) or ():
            if file.suffix in (".py", ".so", ".pyc") and ".." not in file.parts:
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), target)
    return folder


def _plain_python() -> str:
    """The interpreter that a virtual environment was made from."""
    return getattr(sys, "_base_executable", sys.executable)


def rest_event(method: str, path: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """What a REST API of API Gateway makes of a request (version 1.0), its body in base64.

    Args:
        method: of the request.
        path: of the request.
        body: of the request.
        more: `headers` and `query`, lists of pairs.
    """
    headers, query = more.get("headers", []), more.get("query", [])
    several, parameters = _grouped(headers), _grouped(query)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in several.items()},
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "resourcePath": "/{proxy+}",
            "httpMethod": method,
            "path": f"/prod{path}",
            "stage": "prod",
            "protocol": "HTTP/1.1",
            "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8"},
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


def http_event(method: str, path: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """What an HTTP API of API Gateway makes of a request (version 2.0); see `rest_event`."""
    headers, query = more.get("headers", []), more.get("query", [])
    cookies = [value for name, value in headers if name.lower() == "cookie"]
    grouped = _grouped([pair for pair in headers if pair[0].lower() != "cookie"])
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query),
        "headers": {name.lower(): ",".join(values) for name, values in grouped.items()},
        "requestContext": {
            "accountId": "123456789012",
            "domainName": "abc.execute-api.eu-west-3.amazonaws.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8",
            },
            "requestId": "id",
            "stage": "$default",
        },
        "isBase64Encoded": bool(body),
    }
    if query:
        event["queryStringParameters"] = {n: ",".join(v) for n, v in _grouped(query).items()}
    if cookies:
        event["cookies"] = [part for cookie in cookies for part in cookie.split("; ")]
    if body:
        event["body"] = base64.b64encode(body).decode()
    return event


def url_event(method: str, path: str, body: bytes = b"", **more: Any) -> dict[str, Any]:
    """What a function URL makes of a request (version 2.0, too); see `rest_event`."""
    event = http_event(method, path, body, **more)
    event["requestContext"] |= {"domainName": "abc.lambda-url.eu-west-3.on.aws", "authorizer": None}
    event["headers"]["host"] = event["requestContext"]["domainName"]
    return event


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped
