"""The group's status, as a document: what the core knows, what the records and the kernel add."""

import os

from msgspec.structs import replace

from pairvisor.core.state import GroupPhase, MemberState, Phase
from pairvisor.manifest.group import Member, Role, Target
from pairvisor.record import model, states
from pairvisor.runtime.figures import Usage
from pairvisor.runtime.supervisor import Supervisor

LAST_LINES = 20


def status(supervisor: Supervisor, usage: dict[str, Usage]) -> model.Status:
    """At this moment; `usage` is the members'."""
    state, journal = supervisor.state, supervisor.records.journal
    finish = supervisor.finish
    return model.Status(
        group=state.spec.name,
        state=states.group(state, finish),
        ready=state.phase is GroupPhase.RUNNING and all(map(_can_serve, state.members.values())),
        restarts=max(state.round - 1, 0),
        containment="" if finish else supervisor.provision.containment.kind,
        why_not_contained_better=supervisor.provision.containment.why_not_better,
        manifest=supervisor.manifest,
        pid=os.getpid(),
        started_at=journal.group.started_at,
        ready_at=journal.group.ready_at,
        ended_at=journal.group.ended_at,
        exit_status=finish.status if finish else None,
        degraded=supervisor.records.degraded,
        cause=journal.group.cause,
        members=[_member(supervisor, m, usage.get(m.spec.name)) for m in state.members.values()],
    )


def _can_serve(member: MemberState) -> bool:
    """One that has done its work, or whose end was to be ignored, keeps nobody from being ready."""
    is_over = member.spec.role is Role.INIT or member.phase is Phase.ENDED
    return member.ready or (is_over and not member.held)


def _member(supervisor: Supervisor, member: MemberState, usage: Usage | None) -> model.MemberStatus:
    spec = member.spec
    about = supervisor.records.journal.about(spec.name)
    return model.MemberStatus(
        name=spec.name,
        role=spec.role,
        concern=spec.concern,
        origin=spec.origin,
        state=states.member(member, was_told=about.was_told),
        ready=member.ready,
        pid=supervisor.children.pid(spec.name) or None,
        restarts=max(member.run - 1, 0),
        waits_for=sorted(member.unmet) if member.phase is Phase.WAITING else [],
        started_at=about.started_at,
        ready_at=about.ready_at if member.ready else None,
        cpu_seconds=usage.cpu_seconds if usage else None,
        memory=usage.memory if usage else None,
        processes=usage.processes if usage else None,
        log=_log(supervisor, spec),
        log_bytes=supervisor.pump.rings.written(spec.name),
        lost_lines=supervisor.records.lost_lines.get(spec.name, 0),
        exit=about.exit,
        ended_at=about.ended_at,
        cause=about.cause,
    )


def final_status(supervisor: Supervisor) -> model.Status:
    """Once it is over; where it failed, with what the culprit wrote last."""
    last = status(supervisor, {})
    if last.state != "failed" or last.cause is None or last.cause.member is None:
        return last
    redact = supervisor.provision.secrets.redact
    lines = supervisor.pump.rings.lines([last.cause.member], LAST_LINES)
    return replace(last, last_lines=[redact(line.message) for line in lines])


def _log(supervisor: Supervisor, spec: Member) -> str:
    is_usual = spec.log.to is Target.TERMINAL and supervisor.pump.has_journal
    if is_usual or spec.log.to is Target.JOURNAL:
        return f"journal:{supervisor.group.name}/{spec.name}"
    return spec.log.file.path if spec.log.file else spec.log.to
