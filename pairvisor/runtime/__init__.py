"""The shell around the core: it does what the effects say and tells what has happened.

One asyncio loop on one thread decides nothing: processes (`children`), probes, hooks, timers and
signals each end in one `Supervisor.post(event)`. The one other thread (`pump`) moves the members'
output, so that a slow terminal never holds up supervision. The guard is a process of its own.
"""
