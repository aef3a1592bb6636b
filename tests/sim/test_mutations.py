"""The oracles are as good as what they catch: each of these changes for the worse is caught.

Random lives are run with the mutant until an oracle objects. A mutant that none objects to is a
rule that nobody watches.
"""

import pytest

from tests.sim.groups import live_through
from tests.sim.mutants import Mutation, step_of

LIVES = 2500

MUTATIONS = [
    # Identity
    Mutation("news of older runs counts", "step", "event.run == member.run", "event.run"),
    Mutation(
        "a repeated Spawned counts",
        "step",
        "if member.phase is Phase.STARTING and not member.spawned:",
        "if member.phase is Phase.STARTING:",
    ),
    Mutation("a probe that wasn't asked counts", "step", "is None or not tally.asked", "is None"),
    Mutation(
        "started twice",
        "starting",
        "if member.phase is Phase.WAITING and",
        "if member.phase is not Phase.STARTING and",
    ),
    Mutation(
        "ended before its tree is",
        "step",
        "    group.effects.append(do.Kill(member.spec.name, member.run))\n",
        "    group.effects.append(do.Kill(member.spec.name, member.run))\n"
        "    stopping.emptied(group, member, now)\n",
    ),
    # Up
    Mutation("started opens ready", "starting", "Gate.STARTED, now)", "Gate.READY, now)"),
    Mutation("any gate will do", "starting", "follower.after[name] is gate", "gate"),
    Mutation(
        "startup gates nothing", "starting", "Purpose.STARTUP)\n        return", "Purpose.STARTUP)"
    ),
    Mutation(
        "ended opens while it restarts",
        "stopping",
        "    elif member.sequel is Sequel.RESTART:\n",
        "    elif member.sequel is Sequel.RESTART:\n"
        "        starting.open_gate(group, member, Gate.ENDED, now)\n",
    ),
    Mutation("up before all are", "starting", "and not group.unsettled", ""),
    Mutation(
        "whoever is ready holds the group up", "starting", "    settle(group, member, now)\n", ""
    ),
    # Down
    Mutation("all told at once", "stopping", "if member.undone or", "if"),
    Mutation(
        "one follower's end is enough",
        "stopping",
        "undone.discard(member.spec.name)",
        "undone.clear()",
    ),
    Mutation(
        "readers end like others",
        "stopping",
        "set(member.ends_after)",
        "set(member.ends_after).intersection(member.followers)",
    ),
    Mutation(
        "a reader is signalled at once",
        "stopping",
        "member.spec.stdin is None or",
        "member.spec.stdin is not None or",
    ),
    Mutation("no time to leave", "stopping", "now + LEAVE", "now"),
    Mutation(
        "drained while those it reads go on",
        "stopping",
        " or group.phase is not GroupPhase.STOPPING:\n        signal_stop",
        ":\n        signal_stop",
    ),
    Mutation("no last call", "stopping", "    if group.last_call:", "    if group.deadline:"),
    Mutation("killed at once", "stopping", "max(deadline, now + least)", "now"),
    Mutation("a grace for each", "stopping", "group.deadline if stops else now +", "now +"),
    Mutation(
        "Ctrl-C twice is once",
        "stopping",
        "    if group.phase is not GroupPhase.STOPPING or group.deadline <= now + LAST_CALL:\n",
        "    if group.phase is GroupPhase.STOPPING:\n",
    ),
    Mutation(
        "probed in a stop",
        "stopping",
        "        _quieten(group, member)\n        if member.phase is Phase.BACKOFF:",
        "        if member.phase is Phase.BACKOFF:",
    ),
    Mutation(
        "a late hook runs on",
        "stopping",
        "        hooks.cancel(group, member)\n        signal_stop",
        "        signal_stop",
    ),
    Mutation(
        "a backoff goes on in a stop",
        "stopping",
        "            move(group, member, Phase.ENDED)\n    _limit",
        "            pass\n    _limit",
    ),
    # What a stop leads to
    Mutation(
        "a stop does not overrule a restart",
        "stopping",
        "goal is not Goal.RESTART:",
        "goal is Goal.FAIL:",
    ),
    Mutation(
        "a restart overrules a stop",
        "stopping",
        "if group.goal is Goal.RESTART and goal is not Goal.RESTART:",
        "if goal is not group.goal:",
    ),
    Mutation(
        "restarts beside what can't be killed", "stopping", " or _has_unkillable(group):", ":"
    ),
    Mutation(
        "what does not die is waited for",
        "stopping",
        "now + PATIENCE, member.cause",
        "inf, member.cause",
    ),
    Mutation("what it left is waited for", "step", "EMPTYING, now + stopping.PATIENCE", "EMPTYING"),
    Mutation("given up at once", "stopping", "PATIENCE = 10.0", "PATIENCE = 0.125"),
    Mutation(
        "others wait for what can't be killed",
        "stopping",
        "        release(group, [member], now)\n    else:\n        stop_group",
        "        pass\n    else:\n        stop_group",
    ),
    Mutation(
        "the group goes on beside what can't be killed",
        "stopping",
        "        release(group, [member], now)\n    else:\n        stop_group(group, Goal.FAIL",
        "        release(group, [member], now)\n    elif member is group.primary:\n"
        "        stop_group(group, Goal.FAIL",
    ),
    Mutation(
        "a killed primary is fine", "stopping", "if member is group.primary and", "if None and"
    ),
    Mutation("a failure is 0", "stopping", "STATUS.get(cause.reason, 1)) or 1", "0) or 0"),
    Mutation("what can't be killed is like others", "stopping", ", Reason.UNKILLABLE: 70}", "}"),
    # Fate
    Mutation(
        "deaths in a stop are judged",
        "step",
        "    if phase in STARTABLE and group.phase is not GroupPhase.STOPPING:\n",
        "    if phase in STARTABLE or group.phase is GroupPhase.STOPPING:\n",
    ),
    Mutation(
        "the last death is the cause",
        "step",
        "    if phase in STARTABLE and group.phase is not GroupPhase.STOPPING:\n",
        "    if group.phase is GroupPhase.STOPPING and group.cause:\n"
        "        group.cause = fate.cause_of(member, event.exit, now)\n"
        "    if phase in STARTABLE and group.phase is not GroupPhase.STOPPING:\n",
    ),
    Mutation(
        "another is the cause",
        "fate",
        "Cause(reason, member.spec.name, end",
        'Cause(reason, "x", end',
    ),
    # Backoff
    Mutation("no longest wait", "backoff", "min(policy.max, ", "max(0, "),
    Mutation("the first restart waits", "backoff", "if level == 0:", "if level < 0:"),
    Mutation(
        "a healthy run is forgotten", "backoff", "0 if now - since >= policy", "0 if 0 > policy"
    ),
    Mutation("never grows", "backoff", "backoff.level = level + 1", "backoff.level = 1"),
    Mutation("no limit", "backoff", "return 0 < policy.limit <=", "return 9 < policy.limit <="),
    Mutation(
        "starts before its time", "stopping", "        if not member.pause:\n", "        if True:\n"
    ),
    # What is asked for
    Mutation("what is held starts", "starting", "member.sequel is Sequel.END and ", ""),
    Mutation(
        "held for ever",
        "starting",
        "    member.sequel = Sequel.END\n    if member.phase",
        "    if member.phase",
    ),
    Mutation(
        "over while something is held",
        "stopping",
        "or any(member.held",
        "or None and any(member.held",
    ),
    Mutation(
        "a stop starts others",
        "stopping",
        "    if member.sequel is Sequel.END:\n",
        "    if True:\n",
    ),
    Mutation("a restart only stops", "stopping", "is Sequel.RESPAWN:", "is None:"),
    Mutation(
        "asking counts",
        "stopping",
        "forgive(member.backoff, policy, since, now)",
        "member.backoff.level += 1",
    ),
    Mutation(
        "what was told is judged", "step", "    if phase in STARTABLE and group", "    if group"
    ),
    Mutation("two at once", "asking", "in (Phase.ENDED, Phase.BACKOFF):", "is not None:"),
    Mutation(
        "a restart waits",
        "asking",
        "        group.pause = 0.0\n        stopping",
        "        stopping",
    ),
    Mutation(
        "a restart out of a backoff ends the group",
        "asking",
        "    if group.phase in GOES_ON:\n        forgive",
        "    if True:\n        forgive",
    ),
    Mutation(
        "asked while the group stops", "step", "if group.phase in GOES_ON and event", "if event"
    ),
    Mutation(
        "a stop leaves a backoff alone",
        "asking",
        "        move(group, member, Phase.ENDED, cause=cause)\n",
        "",
    ),
    Mutation("a stop holds nobody", "asking", "Sequel.HOLD, cause", "Sequel.END, cause"),
    Mutation(
        "who waits and is held keeps the group from being up",
        "asking",
        "    elif member.phase is Phase.WAITING:\n        starting.settle(group, member, now)\n",
        "",
    ),
    Mutation("the held start in any order", "asking", "gate in NOT_ENDS}", "gate is None}"),
    # Reloads
    Mutation("all restart", "reloading", "bool(difference(member.spec, spec).process)", "True"),
    Mutation(
        "started by the old word", "starting", "group.spec.members[member.spec.name]", "member.spec"
    ),
    Mutation(
        "nobody is forgotten",
        "reloading",
        "        group.gone.append(member.spec.name)\n",
        "        pass\n",
    ),
    Mutation("all end at once", "reloading", ".items() if not first]", ".items()]"),
    Mutation("the turn never comes", "stopping", "        first.discard(name)\n", "        pass\n"),
    Mutation("the old run opens gates", "starting", " or name in group.doomed:", ":"),
    Mutation(
        "who comes in waits for nobody", "reloading", "if on in plan.entering\n            or", "if"
    ),
    Mutation(
        "a late init runs",
        "reloading",
        "_lay_down(group, member, Sequel.SKIP)\n\n\n",
        "_lay_down(group, member, Sequel.END)\n\n\n",
    ),
    Mutation("the doomed are judged", "fate", "if member.spec.name in group.doomed:", "if None:"),
    Mutation(
        "the end of the doomed is judged",
        "step",
        "if group.doomed.pop(event.member, None) is None:",
        "if group.doomed.pop(event.member, None) is not event:",
        seed=3400,
    ),
    Mutation(
        "after a reload nobody asks",
        "reloading",
        "        starting.watch_readiness(group, member, now)\n",
        "",
    ),
    Mutation(
        "after a reload nobody asks who runs",
        "probing",
        "if not (tally.passed and is_told(probe, purpose)):",
        "if not tally.passed:",
    ),
    Mutation(
        "who has told keeps a longer grace",
        "stopping",
        "    _limit_to_grace(group)\n    release",
        "    release",
    ),
    Mutation(
        "comes back beside itself",
        "reloading",
        "    if member.phase in STARTABLE:\n        group.doomed",
        "    if member.phase is None:\n        group.doomed",
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_an_oracle_catches(mutation: Mutation) -> None:
    step = step_of(mutation)
    for seed in range(mutation.seed, mutation.seed + LIVES):
        _, wrong = live_through(seed, step=step)
        if wrong is not None:
            assert isinstance(wrong, AssertionError), repr(wrong)
            return
    pytest.fail(f"nothing objects in {LIVES} lives")


def test_the_real_core_is_not_a_mutant() -> None:
    step = step_of(
        Mutation(
            "none",
            "step",
            "assert_never(event)\n\n\ndef _member",
            "assert_never(event)\n\n\ndef _member",
        )
    )
    for seed in range(100):
        world, wrong = live_through(seed, step=step)
        assert wrong is None, (seed, wrong)
        assert world.finish is not None
