"""A fault at every system call of the supervisor's: it dies there, or the call fails.

`points` names the places, `tracing` makes strace hit them, `lives` brings a group there and looks
whether what follows is right. `python -m tests.sweep` goes through all of them, `test_sample`
through a few at random. `soak` looks for what grows when groups live on under all kinds of stress.
"""
