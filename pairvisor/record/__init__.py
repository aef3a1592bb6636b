"""What is told of a group, as documents: its status, its events, why it restarted.

Everything here is data or made from data alone: the runtime fills the documents in, the API hands
them out, the command line reads them, from a running group or from what one has left on disk.
Nothing in this room asks a kernel or a clock; the time comes in as an argument.

- `model`: the documents; the API's JSON, the event log's lines and `--json` are these types;
- `journal`: the core's news, turned into events that know their cause;
- `why`: the chain of causes, in sentences; `timeline`: who waited for whom, of the last start;
- `ending`: how a group ended, where its events or its result are missing;
- `states`: what users see of the core's phases; `words`: exits, causes and times, for people.
"""
