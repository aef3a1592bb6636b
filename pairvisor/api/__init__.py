"""The control API: HTTP/1.1 and JSON on a group's own socket.

`client` is what the command line speaks it with; all else here is the server's.
"""
