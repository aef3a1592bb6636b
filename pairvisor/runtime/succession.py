"""How a group goes from one supervisor to the next one in the same process: see `reexec`."""

import signal
from functools import partial
from time import monotonic

from pairvisor import __version__
from pairvisor.core import effects as do
from pairvisor.core.state import STARTABLE, restored
from pairvisor.runtime import guard
from pairvisor.runtime.handover import Handover
from pairvisor.runtime.logs.pump import Output
from pairvisor.runtime.supervisor import Clock, Supervisor


def suspend(supervisor: Supervisor) -> None:
    """No more probes, until `resume`."""
    supervisor.manager.suspend()
    supervisor.tasks.suspend()


def resume(supervisor: Supervisor) -> None:
    """Make the probes' outstanding attempts, when they are due."""
    supervisor.pump.go_on()
    now = supervisor.loop.time()
    due = {(one.member, one.purpose): one.at for one in supervisor.tasks.due()}
    for name, member in supervisor.state.members.items():
        asked = [purpose for purpose, tally in member.tallies.items() if tally.asked]
        for purpose in asked if member.phase in STARTABLE else ():
            delay = max(due.get((name, purpose), now) - now, 0.0)
            supervisor.tasks.carry_out(do.Probe(name, member.run, purpose, delay))
    supervisor.manager.resume()


def hand_over(supervisor: Supervisor, request: int, output: Output) -> Handover:
    """All that the next one needs; `request` asked for it, `output` is the pump's."""
    provision, records = supervisor.provision, supervisor.records
    mail, matched = supervisor.tasks.hand_over()
    runs = {name: member.run for name, member in supervisor.state.members.items()}
    return Handover(
        start=supervisor.start,
        manifest=supervisor.manifest,
        group=supervisor.group,
        state=supervisor.state,
        lost=supervisor.clock.lost,
        interrupts=supervisor.interrupts,
        lock=supervisor.folders.lock,
        folder=supervisor.folders.folder,
        control=supervisor.front.fileno(),
        guard=guard.hand_over(),
        request=request,
        version=__version__,
        offspring=supervisor.children.hand_over(runs),
        contained=provision.containment.hand_over(),
        secrets=dict(provision.secrets.values),
        secret_words=provision.secrets.words,
        output=output,
        readers=supervisor.outputs.readers,
        mail=mail,
        matched=matched,
        due=supervisor.tasks.due(),
        notes=records.hand_over(),
        troubles=records.troubles,
        unmet=records.unmet_limits,
        lost_lines=records.lost_lines,
        told=supervisor.manager.hand_over(),
    )


def take_over(supervisor: Supervisor, handed: Handover) -> None:
    """Let this one, which does not run yet, have what another one had."""
    supervisor.handed = handed
    supervisor.state = restored(handed.state)
    supervisor.manifest = handed.manifest
    supervisor.clock = Clock(handed.lost, monotonic() - handed.lost)
    supervisor.interrupts = handed.interrupts
    supervisor.outputs.readers = handed.readers
    supervisor.manager.take_over(handed.told)
    supervisor.children.take_over(
        handed.offspring, lambda member, run: partial(supervisor.exited, member, run)
    )


def go_on(supervisor: Supervisor, handed: Handover) -> None:
    """Its loop runs."""
    supervisor.tasks.take_over(handed.mail, handed.matched, handed.due)
    members = supervisor.state.members
    watched = {pipe.member for pipe in handed.output.pipes if pipe.is_watched} & members.keys()
    watches = {name: supervisor.tasks.log_watch(members[name].spec) for name in watched}
    supervisor.pump.take_over(supervisor.group, handed.output, watches)
    supervisor.pump.start()
    signal.alarm(0)  # see reexec.LIMIT
    supervisor.pump.say(supervisor.records.reexecuted(handed.version, handed.request or None))
    resume(supervisor)
