"""Probes: from the written table to a method, a complete target and sound thresholds."""

import re

from msgspec import Struct

from pairvisor.manifest import model
from pairvisor.manifest.addresses import packed, split_address
from pairvisor.manifest.commands import split_command
from pairvisor.manifest.group import Method, Places, Probe, Purpose
from pairvisor.manifest.interpolate import Interpolator
from pairvisor.manifest.paths import below, climbs
from pairvisor.manifest.places import LONGEST_SOCKET
from pairvisor.manifest.report import Report

SHORTEST_INTERVAL = 0.01  # seconds
MOST = 1_000_000  # of anything that is counted
_URL = re.compile(r"http://(\[[^\]]*\]|[^:/?#\[\]]+)(:\d+)?([/?][^#\s]*)?")
_METHODS = ", ".join(Method)


class _Looked(Struct, frozen=True):
    """What a target is read with."""

    purpose: Purpose
    places: Places
    report: Report


def resolve_probe(
    written: model.Probe,
    purpose: Purpose,
    interpolator: Interpolator,
    places: Places,
    report: Report,
) -> Probe | None:
    """The probe, or None where it has no method that could be used, which is then reported."""
    _check_thresholds(written, purpose, report)
    methods = [method for method in Method if getattr(written, method) is not None]
    if len(methods) != 1:
        _report_methods(methods, report)
        return None
    method = methods[0]
    looked = _Looked(purpose, places, report.at(method.value))
    return Probe(
        method=method,
        target=_target(written, method, interpolator, looked),
        interval=written.interval,
        timeout=written.timeout,
        failures=written.failures,
        successes=written.successes,
        delay=written.delay,
    )


def _report_methods(methods: list[Method], report: Report) -> None:
    if methods:
        report.error(f"a probe has one method, but this one has {' and '.join(methods)}")
    else:
        report.error(f"a probe needs a method, one of {_METHODS}")


def _check_thresholds(written: model.Probe, purpose: Purpose, report: Report) -> None:
    if written.interval < SHORTEST_INTERVAL:
        report.at("interval").error('at least "10ms"')
    if written.timeout <= 0:
        report.at("timeout").error("more than 0")
    if not 1 <= written.failures <= MOST:
        report.at("failures").error(f"between 1 and {MOST}")
    if not 1 <= written.successes <= MOST:
        report.at("successes").error(f"between 1 and {MOST}")
    elif written.successes > 1 and purpose is not Purpose.READY:
        report.at("successes").error(f"only 1 makes sense for {purpose.value} (as in Kubernetes)")


def _target(
    written: model.Probe, method: Method, interpolator: Interpolator, looked: _Looked
) -> tuple[str, ...]:
    report = looked.report
    if method is Method.EXEC:
        return split_command(written.exec or [], interpolator, report)
    if method is Method.NOTIFY:
        if written.notify is False:
            report.error("only true: leave the probe out where there is nothing to ask")
        return ()
    text = interpolator.fill(getattr(written, method), report)
    if not text or "\0" in text:
        report.error("the text is empty" if not text else "a text can't have a NUL character")
        return ()
    return (_TARGETS[method](text, looked),)


def _http(text: str, looked: _Looked) -> str:
    if text.startswith("unix:"):
        return _http_unix(text, looked)
    match = _URL.fullmatch(text)
    if match is None:
        looked.report.error(_why_no_url(text))
        return text
    host, port, path = match.groups()
    port = port or ":80"
    path = path or "/"
    _check_address(f"{host}{port}", looked.report)
    return f"http://{host}{port}{path if path.startswith('/') else '/' + path}"


def _why_no_url(text: str) -> str:
    if text.startswith("https:"):
        return "https is not supported: ask the plain port, or use exec with curl"
    return f'expected "http://127.0.0.1:8080/path" or "unix:app.sock:/path", got "{text}"'


def _http_unix(text: str, looked: _Looked) -> str:
    socket, _, path = text.removeprefix("unix:").partition(":/")
    if not socket or socket.startswith("//"):
        looked.report.error(f'expected "unix:app.sock:/path", got "{text}"')
        return text
    return f"unix:{_socket(socket, looked)}:/{path}"


def _address(text: str, looked: _Looked) -> str:
    _check_address(text, looked.report)
    return text


def _check_address(text: str, report: Report) -> None:
    try:
        host, _ = split_address(text)
    except ValueError as error:
        report.error(str(error))
        return
    if host != "localhost" and not packed(host):
        report.error(
            f'"{host}" is a name, and a probe looks none up (a slow name server would delay '
            "it): use localhost or an address such as 127.0.0.1 or [::1]"
        )


def _socket(text: str, looked: _Looked) -> str:
    if climbs(text):
        looked.report.error(f'"{text}" leaves ${{sockets}}, the folder it is relative to')
    path = below(looked.places.sockets, text)
    check_socket_length(path, looked.report)
    return path


def check_socket_length(path: str, report: Report) -> None:
    length = len(path.encode(errors="surrogateescape"))
    if length > LONGEST_SOCKET:
        report.error(
            f"the socket's path {path} has {length} bytes, and the system allows {LONGEST_SOCKET}: "
            "set XDG_RUNTIME_DIR to a shorter folder"
        )


def _file(text: str, looked: _Looked) -> str:
    if climbs(text):
        looked.report.error(f'"{text}" leaves ${{volume}}, the folder it is relative to')
    return below(looked.places.volume, text)


def _log(text: str, looked: _Looked) -> str:
    if looked.purpose is not Purpose.READY:
        looked.report.error(
            "a line of output can say that a member is ready, no more: use it in ready"
        )
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        looked.report.error(f"not a regular expression: {error}")
    return text


_TARGETS = {
    Method.HTTP: _http,
    Method.TCP: _address,
    Method.UNIX: _socket,
    Method.FILE: _file,
    Method.LOG: _log,
    Method.GRPC: _address,
}
