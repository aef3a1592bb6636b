"""Whole lives of groups under a virtual clock.

`world` carries out the core's effects against a fake kernel; `scripts` says how processes behave in
it; `history` notes what the journal says has happened, without a look at the core's own state;
`invariants` are the oracles that judge each step by it; `groups` makes random groups and scripts.
`python -m tests.sim --minutes N --seed S` runs random lives for long.
"""
