"""The control API: HTTP/1.1 and JSON over the group's Unix socket.

`routes` is the fixed table of all that can be asked; `openapi` is made from it, and so is what the
server does. `server` accepts, `connection` speaks HTTP with one client, `peer` knows who that is.
`client` is the other end: the command line uses nothing else.

A client costs a bounded amount of memory and time: its request is bounded, has to be complete
soon, its answer has to be taken soon, and while it does none of that it may be closed in favour of
one that comes. One request is answered in a turn of the loop, so that supervision has its turn
between any two.
"""
