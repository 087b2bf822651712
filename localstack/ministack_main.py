"""Run ministack, in its own environment, until the parent process ends, with features that it lacks.

ministack 1.5.33 supports everything else that the template and the state machine use. This script adds, so that neither
must be changed for it:

* ``MaxConcurrencyPath`` and ``ToleratedFailurePercentagePath`` of a Distributed Map.
* ``x-amazon-apigateway-any-method``, ``-binary-media-types`` and ``-gateway-responses`` in the definition of an API.
* The id of a request's API key in the event of the function.
* Stopping an execution stops the child executions of its Map, and the execution stays stopped.
* Resources of CodeDeploy in a template. They do nothing: an alias moves to a new version at once.

For ``make serve`` it also:

* With ``LOCAL_ORIGIN``, refuses requests from pages of other origins and for other host names (DNS rebinding). The
  credentials of a local AWS are no secret, so any web site in the user's browser could otherwise run functions on this
  machine.
* With ``LOCAL_DATA``, keeps objects and records in a folder (:mod:`localstack.kept_data`).

It replaces private functions of ministack, so requirements.txt pins the exact version.
"""

from __future__ import annotations

import os
import signal
import socketserver
import sys
import threading
from pathlib import Path
from typing import Any

import ministack.app  # type: ignore[import-not-found]
from ministack.services import apigateway_v1, stepfunctions  # type: ignore[import-not-found]
from ministack.services.cloudformation import provisioners  # type: ignore[import-not-found]

_PATHS = ("MaxConcurrency", "ToleratedFailurePercentage")
_ANY = "x-amazon-apigateway-any-method"
_run_distributed_map = stepfunctions._run_distributed_map
_run_sub_machine = stepfunctions._run_sub_machine
_fail_execution = stepfunctions._fail_execution
_import_rest_api = apigateway_v1._import_rest_api
_import_path_item = apigateway_v1._import_path_item
_build_lambda_event = apigateway_v1._build_lambda_event_v1


def _with_paths(state: dict[str, Any], raw_input: Any, effective: Any, *rest: Any) -> Any:
    found = {
        name: stepfunctions._resolve_path(state[f"{name}Path"], effective) for name in _PATHS if f"{name}Path" in state
    }
    return _run_distributed_map({**state, **found}, raw_input, effective, *rest)


def _with_extensions(spec: dict[str, Any], base: dict[str, Any] | None = None) -> Any:
    binary = spec.get("x-amazon-apigateway-binary-media-types", [])
    api = _import_rest_api(spec, {**(base or {}), "binaryMediaTypes": binary})
    for kind, answer in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
        apigateway_v1._put_gateway_response(api, kind, answer)
    return api


def _with_any_method(api: str, path: str, item: dict[str, Any], *rest: Any) -> None:
    _import_path_item(api, path, {"any" if name == _ANY else name: value for name, value in item.items()}, *rest)


def _with_key_id(*args: Any, **more: Any) -> Any:
    event = _build_lambda_event(*args, **more)
    key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(event["headers"]))
    if key is not None:
        event["requestContext"]["identity"] |= {"apiKeyId": key["id"], "apiKey": key["value"]}
    return event


def _unless_stopped(states: Any, start: str, document: Any, execution: Any, context: dict[str, Any]) -> Any:
    if stepfunctions._executions[context["Execution"]["Id"]]["status"] == "ABORTED":
        raise stepfunctions._ExecutionError("States.TaskFailed", "its execution was stopped")
    return _run_sub_machine(states, start, document, execution, context)


def _fail_unless_stopped(execution: dict[str, Any], error: str, cause: str) -> None:
    if execution["status"] != "ABORTED":
        _fail_execution(execution, error, cause)


def _create_nothing(logical_id: str, *_: Any) -> tuple[str, dict[str, Any]]:
    return logical_id, {}


def _update_nothing(physical_id: str, *_: Any) -> tuple[str, dict[str, Any]]:
    return physical_id, {}


def _delete_nothing(*_: Any) -> None:
    pass


def _refusing_other_sites(app: Any, origin: str, port: str) -> Any:
    """Return an ASGI application that answers what ``origin``, this machine's programs and a typed address ask."""
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
    origins = {origin, *(f"http://{host}" for host in hosts)}

    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] in {"http", "websocket"}:
            headers = {name.lower(): value for name, value in scope["headers"]}
            asking = headers.get(b"origin", b"").decode("latin-1")
            foreign = headers.get(b"sec-fetch-site") == b"cross-site" if not asking else asking not in origins
            if foreign or headers.get(b"host", b"").decode("latin-1") not in hosts:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008})
                    return
                body = b"this service answers its own page and programs of this machine only\n"
                about = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": 403, "headers": about})
                await send({"type": "http.response.body", "body": body})
                return
        await app(scope, receive, send)

    return answer


def _fill_gaps() -> None:
    for kind in ("Application", "DeploymentGroup"):
        handlers = {"create": _create_nothing, "update": _update_nothing, "delete": _delete_nothing}
        provisioners._RESOURCE_HANDLERS[f"AWS::CodeDeploy::{kind}"] = handlers
    stepfunctions._run_distributed_map = _with_paths
    stepfunctions._run_sub_machine = _unless_stopped
    stepfunctions._fail_execution = _fail_unless_stopped
    apigateway_v1._import_rest_api = _with_extensions
    apigateway_v1._import_path_item = _with_any_method
    apigateway_v1._OPENAPI_HTTP_METHODS = {*apigateway_v1._OPENAPI_HTTP_METHODS, "any"}
    apigateway_v1._build_lambda_event_v1 = _with_key_id
    # ministack sends header and body of an answer in two packets; Nagle's algorithm would delay the second by 40 ms.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True


def _keep_data(folder: str) -> Any:
    """Keep the data in a folder; return its lock."""
    here = str(Path(__file__).parent)
    sys.path.insert(0, here)  # the folder of this script is not on the path
    try:
        import kept_data  # type: ignore[import-not-found]
    finally:
        sys.path.remove(here)
    return kept_data.keep(Path(folder))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # returns when the parent has ended, for whatever reason
    os.killpg(0, signal.SIGKILL)


def run() -> None:
    """Run ministack until the parent process ends."""
    _fill_gaps()
    lock = _keep_data(os.environ["LOCAL_DATA"]) if "LOCAL_DATA" in os.environ else None
    if origin := os.environ.get("LOCAL_ORIGIN"):
        ministack.app.app = _refusing_other_sites(ministack.app.app, origin, os.environ["GATEWAY_PORT"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    ministack.app.main()
    del lock  # held until here


if __name__ == "__main__":
    run()
