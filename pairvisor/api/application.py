"""From a request to its answer: the route, the caller's right to it, what can go wrong with it."""

import traceback
from typing import NoReturn

from pairvisor.api import routes
from pairvisor.api.connection import RefusedError, Request, Response
from pairvisor.api.peer import Access
from pairvisor.manifest.errors import ManifestError
from pairvisor.record.model import Caller
from pairvisor.runtime.control import (
    CannotNowError,
    Control,
    NoSuchMemberError,
    TooManyError,
)

STATUS = {NoSuchMemberError: 404, CannotNowError: 409, TooManyError: 503}


class Application:
    """Answers for one group."""

    def __init__(self, control: Control) -> None:
        self._control = control

    async def answer(self, request: Request) -> Response:
        """Never raises: what a client sends costs him an error answer, and us nothing."""
        try:
            return await self._answer(request)
        except RefusedError as refused:
            return refused.response()
        except ManifestError as error:
            problems = [str(problem) for problem in error.problems]
            return RefusedError(422, "the manifest is wrong: all runs on", *problems).response()
        except (NoSuchMemberError, CannotNowError, TooManyError) as error:
            return RefusedError(STATUS[type(error)], str(error)).response()
        except Exception as error:  # a mistake of ours costs this request, no more
            self.note_fault(error)
            return RefusedError(500, "a mistake in pairvisor: see its events").response()

    async def _answer(self, request: Request) -> Response:
        if request.access is Access.NONE:
            self._refuse(request.peer.caller, "may not speak to this group")
        route = routes.find(request.method, request.path)
        if request.access < route.access:
            self._refuse(request.peer.caller, "may only look at this group")
        return await route.handler(self._control, request, routes.read(route, request))

    def _refuse(self, caller: Caller, why: str) -> NoReturn:
        self._control.records.refused(caller)
        raise RefusedError(403, f"uid {caller.uid} {why}")

    def note_fault(self, error: BaseException) -> None:
        """For people to report: what went wrong, and where."""
        where = traceback.extract_tb(error.__traceback__)[-1:]
        at = "".join(f" ({frame.filename}:{frame.lineno})" for frame in where)
        self._control.records.fault(f"{error!r}{at}")
