"""A member has one hook at a time; the state knows which, so that it can be cancelled although
the specification has none such any more."""

from pairvisor.core import effects as do
from pairvisor.core.state import GroupState, MemberState
from pairvisor.manifest.group import Hook


def run(group: GroupState, member: MemberState, hook: Hook) -> None:
    member.hook = hook
    group.effects.append(do.RunHook(member.spec.name, member.run, hook))


def cancel(group: GroupState, member: MemberState) -> None:
    if member.hook is not None:
        member.hook = None
        group.effects.append(do.CancelHook(member.spec.name, member.run))
