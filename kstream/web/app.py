"""From an HTTP request to its answer: who may, which operation, what it says, what became of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kstream.config.errors import ConfigError
from kstream.error_meanings import MEANINGS
from kstream.errors import ApiError, ErrorCode, KstreamError
from kstream.web.access import Access, Denied
from kstream.web.operation import BadRequest, Call, NotFound, Nothing, Operation, Text
from kstream.web.routes import OPERATIONS
from kstream.web.running import Running

log = logging.getLogger(__name__)

_BODY_BYTES_MAX = 16 * 1024 * 1024
_AT_ONCE_MAX = 64

_STATUSES = {
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION: 404,
    ErrorCode.GROUP_ID_NOT_FOUND: 404,
    ErrorCode.OFFSET_OUT_OF_RANGE: 404,
    ErrorCode.TOPIC_ALREADY_EXISTS: 409,
    ErrorCode.NON_EMPTY_GROUP: 409,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS: 503,
    ErrorCode.COORDINATOR_NOT_AVAILABLE: 503,
    ErrorCode.NOT_COORDINATOR: 503,
    ErrorCode.KAFKA_STORAGE_ERROR: 503,
    ErrorCode.MESSAGE_TOO_LARGE: 413,
}


class Problem(msgspec.Struct):
    """Why a request was not carried out: Kafka's name of the error, or HTTP's, and what to do."""

    error: str
    message: str


def make_app(running: Running, access: Access) -> Starlette:
    """The application of one server."""
    busy = _Busy()
    routes = [
        Route(
            _pattern(operation.path), _endpoint(operation, running, access, busy), methods=[operation.method]
        )
        for operation in OPERATIONS
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _unrouted})


class _Busy:
    """How many requests are under way."""

    count = 0


def _endpoint(operation: Operation, running: Running, access: Access, busy: _Busy) -> Any:
    async def endpoint(request: Request) -> Response:
        if busy.count >= _AT_ONCE_MAX:
            return _problem(503, "busy", f"{_AT_ONCE_MAX} requests are under way: ask again later")
        busy.count += 1
        try:
            access.check(request.headers, is_open=operation.is_open)
            call = Call(
                running,
                request.path_params,
                _query(operation, request.query_params),
                await _body(operation, request),
                request.headers.get("accept", ""),
            )
            return _response(operation, await operation.handler(call))
        except Denied as denied:
            log.info("refused %s %s: %s", request.method, request.url.path, denied)
            return _problem(denied.status, "denied", str(denied))
        except ClientDisconnect:
            return _problem(400, "gone", "the client has left")
        except KstreamError as error:
            return _failed(error)
        except Exception:
            log.exception("%s %s failed in an unforeseen way", request.method, request.url.path)
            return _problem(500, "defect", "kstream failed in an unforeseen way; its log says how")
        finally:
            busy.count -= 1

    return endpoint


def _query(operation: Operation, given: Mapping[str, str]) -> Any:
    known = operation.query.__struct_fields__
    for name in given:
        if name not in known:
            raise BadRequest(f"no parameter is called {name}: there are {', '.join(known) or 'none'}")
    try:
        return msgspec.convert(dict(given), operation.query, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"a parameter is wrong: {error}") from None


async def _body(operation: Operation, request: Request) -> Any:
    content = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            content += chunk
            if len(content) > _BODY_BYTES_MAX:
                raise Denied(413, f"the body is larger than {_BODY_BYTES_MAX} bytes: send less at once")
    if operation.body is None:
        return Nothing()
    try:
        return msgspec.json.decode(content or b"{}", type=operation.body)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the body is wrong: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None


def _response(operation: Operation, answer: Any) -> Response:
    if isinstance(answer, Text):
        return Response(answer.content, answer.status, media_type=answer.media_type)
    if operation.status == 204:
        return Response(status_code=204)
    return Response(msgspec.json.encode(answer), operation.status, media_type="application/json")


def _failed(error: KstreamError) -> Response:
    if isinstance(error, ApiError):
        message = error.message or MEANINGS.get(error.code, str(error))
        return _problem(_STATUSES.get(error.code, 400), error.code.name, message)
    if isinstance(error, NotFound):
        return _problem(404, "not found", str(error))
    return _problem(400, "config" if isinstance(error, ConfigError) else "bad request", str(error))


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        response = _problem(405, "method", f"{request.method} is not offered here: {allowed} is")
        response.headers["Allow"] = allowed
        return response
    return _problem(
        error.status_code, "not found", f"nothing is at {request.url.path}: /openapi.json has all there is"
    )


def _problem(status: int, error: str, message: str) -> Response:
    response = Response(msgspec.json.encode(Problem(error, message)), status, media_type="application/json")
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _pattern(path: str) -> str:
    """Starlette's way to say that a parameter may contain slashes, as names of groups do."""
    return path.replace("{group}", "{group:path}")
