"""The manifest: from a TOML text to a typed, checked and resolved `Group`.

Nothing in this room starts a process or opens a socket. It reads files (the manifest, its
env files) and looks at programs' modes; all else is a function of its arguments.
"""
