"""The command line. One module a command, imported when it is called.

What runs a group (`foreground`) needs no click: it is not imported for a plain `up`, which has no
options to speak of and wants its members started soon.
"""
