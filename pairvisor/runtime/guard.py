"""The guard: the first process, which outlives the supervisor and lets nothing else do so.

It is forked before anything heavy is imported, so it stays small. It adopts whatever the
supervisor leaves, kills it, waits for it, and ends as the supervisor did. What can't be killed it
names; where the supervisor has waited for that already, it does not once more.

It passes on the signals it is sent, from a terminal's Ctrl-C to a service manager's SIGTERM; the
supervisor has a session of its own, so each arrives once. Should the guard be killed, the
supervisor gets SIGTERM, which is an ordered teardown.
"""

import os
import select
import signal
import socket
from contextlib import suppress
from time import monotonic

from pairvisor.manifest import signals
from pairvisor.runtime import kernel, trees

PASSED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2}
DROPPED = {signal.SIGUSR1}
AWAITED = PASSED_ON | {signal.SIGCHLD}
PATIENCE = 10.0  # seconds for what was sent SIGKILL to be gone
FAREWELL = b"over\n"
NAMED = 10  # processes, in a line for people

# Whatever descriptor is sent here stays open for as long as the guard lives: the group's lock.
_trust: socket.socket | None = None


def fork() -> None:
    """Put a guard above this process: only the supervisor returns, its signals still blocked.

    Raises OSError when the kernel has no process to spare.
    """
    global _trust  # noqa: PLW0603 - one guard for one process
    do_without()
    guard = os.getpid()
    mine, theirs = socket.socketpair()
    supervisor = os.fork()
    if supervisor:
        theirs.close()
        os._exit(_watch(supervisor, mine))
    kernel.signal_me_when_parent_dies(signal.SIGTERM)
    if os.getppid() != guard:
        os._exit(128 + signal.SIGTERM)
    os.setsid()
    # A child doesn't inherit this: without it, a member's orphans would pass by to the guard.
    kernel.become_subreaper()
    mine.close()
    _trust = theirs


def is_there() -> bool:
    """Whether systemd started this very process (systemd.exec(5)): then its unit's cgroup is killed
    when it ends, and another guard would only be in the way."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def do_without() -> None:
    """Let this process be the supervisor, where what started it ends all that it leaves behind: its
    signals are blocked, and orphans come to it, as below a guard."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, AWAITED | DROPPED)
    kernel.become_subreaper()


def entrust(lock: int, folder: int, run: str) -> None:
    """Keep the group's lock until the guard has ended, too. If the supervisor did not release the
    group's runtime folder, which is open and lies at `run`, the guard will."""
    if _trust is not None:
        # In flight in a socket's queue, they are open without a hand of the guard: unix(7).
        socket.send_fds(_trust, [os.fsencode(run)], [lock, folder])


def hand_over() -> int:
    """The descriptor by which a supervisor that takes the place of this one reaches its guard; -1:
    there is none."""
    return -1 if _trust is None else _trust.fileno()


def take_over(descriptor: int) -> None:
    """Reach the guard by that."""
    global _trust  # noqa: PLW0603 - as above
    _trust = socket.socket(fileno=descriptor) if descriptor >= 0 else None


def leave(tree: trees.Tree) -> None:
    """Tell the guard that all is over, and what SIGKILL did not end in all the time there was: it
    need not wait for that again."""
    if _trust is not None:
        with suppress(OSError):  # what doesn't fit into the queue is waited for again
            _trust.send(FAREWELL, socket.MSG_DONTWAIT)
            for pid, started in tree.items():
                _trust.send(b"%d %d\n" % (pid, started), socket.MSG_DONTWAIT)


def _watch(supervisor: int, trusted: socket.socket) -> int:
    """Pass signals on until the supervisor has ended; then end the rest. The exit status."""
    pidfd = os.pidfd_open(supervisor)
    # Blocked, it would come nevertheless; whoever started us by nohup has said that it shall not.
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    awaited = AWAITED - {signal.SIGHUP} if is_nohup else AWAITED
    status = None
    while status is None:
        signum = signal.sigwaitinfo(awaited).si_signo
        if signum == signal.SIGCHLD:
            status = _reap().get(supervisor)
        else:
            kernel.send(pidfd, signum)
    code = os.waitstatus_to_exitcode(status)
    run, descriptors, farewell = _word_of(trusted)
    given_up = farewell or {}
    if code < 0:
        name = signals.name_of(-code)
        _say(f"the supervisor was killed by {name}; what is left of the group is killed")
        code = 128 - code
    elif descriptors and farewell is None:
        _say(f"the supervisor exited with {code} all at once; what is left of the group is killed")
        code = 70
    left = _end_descendants(given_up)
    if left:
        _say(f"can't be killed: {_names(left)}")
        code = code or 70
    with suppress(Exception):  # its code may have been replaced or removed since we began
        _release(run, descriptors, within=0.0 if left else PATIENCE)
    return code


def _word_of(trusted: socket.socket) -> tuple[bytes, list[int], trees.Tree | None]:
    """The supervisor's: what it has entrusted to us, and behind that what it gave up at its end;
    None where it did not come to that.

    The descriptors are a barrier in the stream (unix(7)), so each can be told from the other.
    """
    run, said = b"", b""
    descriptors: list[int] = []
    trusted.setblocking(False)
    with suppress(OSError):
        run, descriptors, _, _ = socket.recv_fds(trusted, 4096, 2)
        while piece := trusted.recv(1 << 16):
            said += piece
    if not said.startswith(FAREWELL):
        return run, descriptors, None
    pairs = map(bytes.split, said.removeprefix(FAREWELL).splitlines())
    return run, descriptors, {int(pid): int(started) for pid, started in pairs}


def _names(left: trees.Tree) -> str:
    shown = ", ".join(f"{pid} ({kernel.name(pid)})" for pid in list(left)[:NAMED])
    return shown + (f" and {len(left) - NAMED} more" if len(left) > NAMED else "")


def _release(run: bytes, descriptors: list[int], within: float) -> None:
    """What the supervisor could not take away any more: cgroups, mounts, secrets, sockets; in so
    many seconds, if something can't be killed."""
    if not descriptors or not os.fstat(descriptors[1]).st_nlink:
        return  # it never had the folder, or has removed it
    from pairvisor.runtime.folders import abandoned  # noqa: PLC0415 - the guard is small till then

    abandoned(os.fsdecode(run), descriptors[1], within)


def _say(text: str) -> None:
    """On stderr; one that does not take it, or is closed, is not waited for."""
    with suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"pairvisor: {text}\n".encode())


def _reap() -> dict[int, int]:
    """The wait status by pid of all children that have ended."""
    ended: dict[int, int] = {}
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return ended
            ended[pid] = status
    except ChildProcessError:
        return ended


def _end_descendants(given_up: trees.Tree) -> trees.Tree:
    """Kill until nothing is left: a dead parent's children become ours. What would not die."""
    deadline = monotonic() + PATIENCE
    while True:
        left = trees.kill(lambda: trees.descending_from(kernel.children_of(os.getpid())))
        if left.items() <= given_up.items() or monotonic() > deadline:
            return left
        signal.sigtimedwait({signal.SIGCHLD}, 0.1)
        _reap()
