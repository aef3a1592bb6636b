"""What happens to a group is decided here, and nowhere else.

    step(group, event, now) -> effects

An event says what has happened, in the past tense; an effect says what is to be done, as data.
No process, file, socket, thread or clock is known in this room: the time is an argument, chance
comes in with an event, and what an effect led to comes back as an event. So a group's whole life
can be run under a virtual clock, and each rule be read in one place:

- `starting`: gates, order, readiness; `probing`: thresholds and the time between attempts;
- `fate`: what an end means; `stopping`: the reverse order inside one grace, escalation;
- `backoff`: when the next start is; `asking`: what somebody asks for; `reloading`: another
  specification; `step`: which rule an event meets.

Five things make it sound. A member has one deadline, and its phase says what its passing means.
Every spawn has a run number, and news of another run is dropped. A failed spawn is an exit. An
unknown event is a type error; a late or repeated one is ignored. A step touches the member it is
about and those that wait for it, never the whole group, save where that starts, stops or is
reloaded.
"""
