"""A fake kernel and a virtual clock around the core: what it orders happens, in virtual time.

The world knows what is alive; the core knows only what it is told. Of two things that are due at
the same moment the one that was planned first happens first, as in a queue; `lag` lets the clock
run on while nothing is told, as for a supervisor that was stopped and continued.
"""

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf

from msgspec import Struct

from pairvisor.core import effects as do
from pairvisor.core.events import (
    Emptied,
    Event,
    Exit,
    Exited,
    HookEnded,
    InputEnded,
    ProbeEnded,
    Reloaded,
    Spawned,
    StartRequested,
    StopRequested,
    TimePassed,
)
from pairvisor.core.state import GroupState, new, next_deadline
from pairvisor.core.step import step
from pairvisor.manifest.group import Group, Probe, Purpose
from tests.sim.scripts import KILLED, Behaviour, Command, Script

Step = Callable[[GroupState, Event, float], list[do.Effect]]
Watch = Callable[["Entry"], None]


class Entry(Struct):
    """One line of the journal."""

    time: float
    event: Event
    effects: list[do.Effect]


class Process(Struct):
    """One run of a member: its main process, what that left, and the commands beside it."""

    script: Script
    began: float
    alive: bool = False  # the main process
    remnants: int = 0
    over: bool = False  # the main process has ended, or never began
    signalled: bool = False
    killed: bool = False  # before its end: that it is empty will be told without a new order
    attempts: dict[Purpose, int] = {}  # ticket by probe
    hook: int = 0  # ticket of the hook that runs


class Plan(Struct):
    """Something that comes true later, unless its ticket was given up until then."""

    member: str
    run: int
    then: Event
    ticket: int = 0


class StuckError(AssertionError):
    """The group doesn't reach its end."""


TIME_PASSED = TimePassed()


class World:
    """One group's life. `noise` gives the chance in an exit's event."""

    def __init__(
        self,
        spec: Group,
        behaviour: Behaviour,
        *,
        step: Step = step,
        noise: Callable[[], float] = lambda: 0.0,
        remember: int = 100_000,
    ) -> None:
        self.spec = spec
        self.state = new(spec)
        self.now = 0.0
        self.lagged = 0.0  # seconds, in all
        self.steps = 0
        self.requests = 0
        self.journal: deque[Entry] = deque(maxlen=remember)
        self.watch: Watch | None = None
        self.finish: do.Finish | None = None
        self.processes: dict[tuple[str, int], Process] = {}
        self._behaviour = behaviour
        self._step = step
        self._noise = noise
        self._queue: list[tuple[float, int, Plan]] = []
        self._tickets = 0
        self._carry: dict[type[do.Effect], Callable[..., None]] = {
            do.Spawn: self._spawn,
            do.EndInput: self._end_input,
            do.Signal: self._signal,
            do.Kill: self._kill,
            do.Probe: self._probe,
            do.CancelProbes: self._cancel_probes,
            do.RunHook: self._run_hook,
            do.CancelHook: self._cancel_hook,
            do.Finish: self._finish,
        }

    # What a caller does with it

    def start(self) -> None:
        self.deliver(StartRequested())

    def stop(self, *, hasten: bool = False) -> None:
        self.ask(lambda number: StopRequested(hasten, number))

    def ask(self, wish: Callable[[int], Event]) -> int:
        """Ask for something by a new number."""
        self.requests += 1
        self.deliver(wish(self.requests))
        return self.requests

    def reload(self, spec: Group) -> int:
        return self.ask(lambda number: Reloaded(spec, number))

    def deliver(self, event: Event) -> list[do.Effect]:
        """Tell the core, carry out what it orders, and have it judged."""
        effects = self._step(self.state, event, self.now)
        self.steps += 1
        carry = self._carry
        for effect in effects:
            if (act := carry.get(type(effect))) is not None:
                act(effect)
        entry = Entry(self.now, event, effects)
        self.journal.append(entry)
        if self.watch is not None:
            self.watch(entry)
        return effects

    def next_time(self) -> float:
        queued = self._queue[0][0] if self._queue else inf
        return min(queued, next_deadline(self.state))

    def tick(self, until: float = inf) -> bool:
        """Let the next thing happen, if it does until then."""
        at = self.next_time()
        if at == inf or at > until:
            return False
        self.now = max(self.now, at)
        if self._queue and self._queue[0][0] <= at:
            self._come_true(heappop(self._queue)[2])
        else:
            self.deliver(TIME_PASSED)
        return True

    def run(self, seconds: float) -> None:
        """Let that much time pass."""
        until = self.now + seconds
        while self.tick(until):
            pass
        self.now = until

    def run_until(self, fact: Callable[[], bool], steps: int = 100_000) -> None:
        for _ in range(steps):
            if fact() or not self.tick():
                break
        if not fact():
            raise StuckError(f"after {steps} steps, at {self.now:g} s")

    def run_to_the_end(self, steps: int = 100_000) -> do.Finish:
        self.run_until(lambda: self.finish is not None, steps)
        assert self.finish is not None
        return self.finish

    def lag(self, seconds: float) -> None:
        """The clock runs on, and nothing is told meanwhile."""
        self.now += seconds
        self.lagged += seconds

    def say(self, member: str, event: Callable[[str, int], Event]) -> None:
        """Let the member's present run have that happen now."""
        self.deliver(event(member, self.state.members[member].run))

    def exit(self, member: str, exit_: Exit) -> None:
        """The member's main process ends by itself now."""
        run = self.state.members[member].run
        self._end(self.processes[member, run])
        self.deliver(Exited(member, run, exit_, self._noise()))

    # What is true of it

    def alive(self) -> list[tuple[str, int]]:
        """The runs of which a process is there."""
        return [key for key, process in self.processes.items() if process.alive or process.remnants]

    def commands(self) -> list[tuple[str, int]]:
        """The runs of which a hook or a probe's attempt is under way."""
        return [key for key, process in self.processes.items() if process.hook or process.attempts]

    # How effects are carried out

    def _plan(self, delay: float, plan: Plan) -> int:
        self._tickets += 1
        if delay < inf:
            heappush(self._queue, (self.now + delay, self._tickets, plan))
        return self._tickets

    def _ticketed(self, delay: float, plan: Plan) -> int:
        plan.ticket = self._plan(delay, plan)
        return plan.ticket

    def _spawn(self, effect: do.Spawn) -> None:
        script = self._behaviour(effect.member, effect.run)
        process = Process(script, self.now + script.latency, attempts={})
        # Old runs are forgotten once nothing of them can be alive.
        old = (effect.member, effect.run - 1)
        if old in self.processes and not self._is_there(self.processes[old]):
            del self.processes[old]
        self.processes[effect.member, effect.run] = process
        if script.error:
            failure = Exit(error=script.error)
            self._plan(script.latency, self._death(effect, failure))
            return
        process.alive = True
        self._plan(script.latency, Plan(effect.member, effect.run, Spawned(*self._key(effect))))
        exits_after = script.latency + script.exits_after
        self._plan(exits_after, self._death(effect, script.exit))

    def _key(
        self, effect: do.Spawn | do.EndInput | do.Signal | do.Kill | do.RunHook
    ) -> tuple[str, int]:
        return effect.member, effect.run

    def _is_there(self, process: Process) -> bool:
        return process.alive or process.remnants > 0 or process.hook > 0

    def _death(self, effect: do.Spawn | do.EndInput | do.Signal | do.Kill, exit_: Exit) -> Plan:
        event = Exited(effect.member, effect.run, exit_, self._noise())
        return Plan(effect.member, effect.run, event)

    def _end_input(self, effect: do.EndInput) -> None:
        process = self.processes[self._key(effect)]
        if process.alive:
            read = max(0.0, process.began - self.now) + process.script.reads
            self._plan(read, Plan(effect.member, effect.run, InputEnded(*self._key(effect))))
            self._plan(read + process.script.leaves, self._death(effect, Exit(code=0)))

    def _signal(self, effect: do.Signal) -> None:
        process = self.processes[self._key(effect)]
        if process.alive and not process.signalled:
            process.signalled = True
            waits = max(0.0, process.began - self.now)
            self._plan(waits + process.script.drains, self._death(effect, process.script.drained))

    def _kill(self, effect: do.Kill) -> None:
        process = self.processes[self._key(effect)]
        if process.alive:
            process.killed = True
            self._plan(process.script.dies_within, self._death(effect, KILLED))
        elif not process.over:
            process.killed = True  # before it began: it will be told that it could not
        else:
            self._empty(process, *self._key(effect))

    def _empty(self, process: Process, member: str, run: int) -> None:
        delay = process.script.empties_within if process.remnants else 0.0
        self._plan(delay, Plan(member, run, Emptied(member, run, process.remnants)))

    def _probe(self, effect: do.Probe) -> None:
        process = self.processes[effect.member, effect.run]
        probe = self.state.members[effect.member].spec.probes[effect.purpose]
        takes = min(process.script.probe_takes, probe.timeout)
        event = self._result(effect, process, probe, self.now + effect.delay + takes)
        plan = Plan(effect.member, effect.run, event)
        process.attempts[effect.purpose] = self._ticketed(effect.delay + takes, plan)

    def _result(self, effect: do.Probe, process: Process, probe: Probe, at: float) -> ProbeEnded:
        script, age = process.script, at - process.began
        passed = script.probe_takes <= probe.timeout
        if effect.purpose is Purpose.LIVE:
            passed = passed and age < script.sick_after
        else:
            passed = passed and age >= script.ready_after
        if effect.purpose is Purpose.READY and script.flaps < inf:
            passed = passed and int((age - script.ready_after) / script.flaps) % 2 == 0
        return ProbeEnded(effect.member, effect.run, effect.purpose, passed, "as scripted")

    def _cancel_probes(self, effect: do.CancelProbes) -> None:
        self.processes[effect.member, effect.run].attempts.clear()

    def _run_hook(self, effect: do.RunHook) -> None:
        process = self.processes[self._key(effect)]
        assert not process.hook, f"two hooks of {effect.member} at once"
        command = process.script.hooks.get(effect.hook, Command())
        event = HookEnded(effect.member, effect.run, effect.hook, command.passes)
        plan = Plan(effect.member, effect.run, event)
        process.hook = self._ticketed(command.takes, plan)

    def _cancel_hook(self, effect: do.CancelHook) -> None:
        self.processes[effect.member, effect.run].hook = 0

    def _finish(self, effect: do.Finish) -> None:
        assert self.finish is None, "finished twice"
        self.finish = effect

    # How what was planned comes true

    def _come_true(self, plan: Plan) -> None:
        process = self.processes.get((plan.member, plan.run))
        if process is not None and self._happens(process, plan):
            self.deliver(plan.then)

    def _happens(self, process: Process, plan: Plan) -> bool:
        """Whether it still can; then it does."""
        match plan.then:
            case ProbeEnded(purpose=purpose):
                return process.attempts.get(purpose) == plan.ticket and bool(
                    process.attempts.pop(purpose)
                )
            case HookEnded():
                happens = process.hook == plan.ticket
                process.hook = 0 if happens else process.hook
                return happens
            case Exited():
                happens = not process.over
                self._end(process)
                if happens and process.killed:
                    self._empty(process, plan.member, plan.run)
                return happens
            case Emptied():
                process.remnants = 0
            case InputEnded():
                return process.alive
            case _:
                pass
        return True

    def _end(self, process: Process) -> None:
        if process.alive:
            process.remnants = process.script.left
        process.alive = False
        process.over = True
