"""What the tests were started with must not reach the programs that they start.

A script's `pytest &` has SIGINT and SIGQUIT ignored (POSIX, Shell Command Language, 2.11), nohup
SIGHUP: whatever is started inherits that, and no Ctrl-C of a test's ends it. A handler is not
inherited over an exec.
"""

import signal

HANDLERS = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: lambda *_: None,
    signal.SIGHUP: lambda *_: None,
}

for _signum, _handler in HANDLERS.items():
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, _handler)
