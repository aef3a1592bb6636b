"""The order in which the pump passes on what members write and what the supervisor says."""

import os

from tests.process.pumping import pump_to_pipe, said


def test_a_word_comes_before_what_its_consequences_made_members_say() -> None:
    with pump_to_pipe("app") as (pump, terminal):
        pipe = pump.attach("app", "stdout")
        pump.say("group is stopped")
        os.write(pipe, b"got SIGTERM\n")
        os.close(pipe)
        pump.start()
        pump.finish(within=20)
        assert said(terminal) == ["group is stopped", "app stdout got SIGTERM"]


def test_a_members_end_is_told_behind_all_that_it_had_written() -> None:
    with pump_to_pipe("app", "other") as (pump, terminal):
        app, other = pump.attach("app", "stdout"), pump.attach("other", "stdout")
        os.write(app, b"first\nlast\n")
        os.write(other, b"meanwhile\n")
        pump.say("app exited with 3", about="app")
        os.close(app)
        os.close(other)
        pump.start()
        pump.finish(within=20)
        lines = said(terminal)
        told = lines.index("app exited with 3")
        assert lines[:told] == ["app stdout first", "app stdout last"]
        assert lines[told + 1 :] == ["other stdout meanwhile"]


def test_a_member_that_keeps_writing_holds_up_no_word_about_it() -> None:
    """A daemon that is still being killed has the pipe open, too."""
    with pump_to_pipe("app") as (pump, terminal):
        pipe = pump.attach("app", "stdout")
        pump.say("app exited with 0", about="app")
        pump.start()
        os.write(pipe, b"from the daemon\n")
        os.close(pipe)
        pump.finish(within=20)
        assert sorted(said(terminal)) == ["app exited with 0", "app stdout from the daemon"]
