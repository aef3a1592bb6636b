"""The order in which the pump passes on what members write and what the supervisor says."""

import os

from pairvisor.runtime.pump import Pump
from pairvisor.runtime.rings import Rings


class Recorder:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.got: list[str] = []

    def lines(self, member: str, stream: str, text: bytes) -> None:
        self.got += [f"{member} {stream} {line}" for line in text.decode().splitlines()]

    def say(self, text: str) -> None:
        self.got.append(text)

    def progress(self, text: str) -> None:
        self.got.append(text)


def test_a_word_comes_before_what_its_consequences_made_members_say() -> None:
    sink = Recorder()
    pump = Pump(sink, Rings([]))
    pipe = pump.attach("app", "stdout")
    pump.say("group is stopped")
    os.write(pipe, b"got SIGTERM\n")
    os.close(pipe)
    pump.start()
    pump.finish(within=20)
    assert sink.got == ["group is stopped", "app stdout got SIGTERM"]


def test_a_members_end_is_told_behind_all_that_it_had_written() -> None:
    sink = Recorder()
    pump = Pump(sink, Rings([]))
    app, other = pump.attach("app", "stdout"), pump.attach("other", "stdout")
    os.write(app, b"first\nlast\n")
    os.write(other, b"meanwhile\n")
    pump.say("app exited with 3", about="app")
    os.close(app)
    os.close(other)
    pump.start()
    pump.finish(within=20)
    told = sink.got.index("app exited with 3")
    assert sink.got[:told] == ["app stdout first", "app stdout last"]
    assert sink.got[told + 1 :] == ["other stdout meanwhile"]


def test_a_member_that_keeps_writing_holds_up_no_word_about_it() -> None:
    """A daemon that is still being killed has the pipe open, too."""
    sink = Recorder()
    pump = Pump(sink, Rings([]))
    pipe = pump.attach("app", "stdout")
    pump.say("app exited with 0", about="app")
    pump.start()
    os.write(pipe, b"from the daemon\n")
    os.close(pipe)
    pump.finish(within=20)
    assert sorted(sink.got) == ["app exited with 0", "app stdout from the daemon"]
