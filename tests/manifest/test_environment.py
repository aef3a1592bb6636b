"""What members find in their environment, and the env files that it comes from."""

from pathlib import Path

import pytest

from pairvisor.manifest.envfile import EnvFileError, parse_env
from tests.manifest.conftest import Loader, Refuser

SOUND = '[primary]\ncommand = "sleep 100"\n'


def test_what_is_inherited(resolved: Loader) -> None:
    theirs = {"LD_LIBRARY_PATH": "/x", "LANG": "C"}
    ours = dict.fromkeys(
        "NOTIFY_SOCKET LISTEN_FDS LISTEN_PID WATCHDOG_USEC CREDENTIALS_DIRECTORY JOURNAL_STREAM "
        "INVOCATION_ID MAINPID RUNTIME_DIRECTORY STATE_DIRECTORY PAIRVISOR_GROUP "
        "PAIRVISOR_ANYTHING".split(),
        "ours",
    )
    env = resolved(SOUND, **theirs, **ours).primary.env
    assert "ours" not in env.values()
    assert theirs.items() <= env.items()


def test_what_a_member_is_told_of_itself(resolved: Loader) -> None:
    group = resolved('name = "shop@eu"\n' + SOUND + 'name = "web"\nenv = { A = "${instance}" }\n')
    run = "/run/user/1000/pairvisor/shop@eu"
    told = {k: v for k, v in group.primary.env.items() if k.startswith("PAIRVISOR_")}
    assert told == {
        "PAIRVISOR_GROUP": "shop@eu",
        "PAIRVISOR_MEMBER": "web",
        "PAIRVISOR_ROLE": "primary",
        "PAIRVISOR_RUN": run,
        "PAIRVISOR_SOCKETS": f"{run}/sockets",
        "PAIRVISOR_VOLUME": f"{run}/volume",
        "PAIRVISOR_CONTROL": f"{run}/control.sock",
    }
    assert group.primary.env["A"] == "eu"


def test_the_later_layer_wins(resolved: Loader, tmp_path: Path) -> None:
    (tmp_path / "group.env").write_text("A=file\nB=file\nC=file\nD=file\n")
    (tmp_path / "member.env").write_text("C=own file\nD=own file\n")
    text = f"""
        env_file = "group.env"
        env = {{ B = "table", C = "table", D = "table" }}
        {SOUND}
        env_file = ["member.env", "-none.env"]
        env = {{ D = "own" }}
        """
    env = resolved(text, A="inherited", Z="inherited").primary.env
    assert [env[name] for name in "ABCDZ"] == ["file", "table", "own file", "own", "inherited"]


def test_a_clean_environment(resolved: Loader) -> None:
    text = f'env = {{ B = "b" }}\n{SOUND}clean_env = true\nenv = {{ X = "${{env.SECRET}}" }}\n'
    env = resolved(text, HOME="/h", SECRET="s", LD_PRELOAD="x").primary.env
    assert {k: v for k, v in env.items() if not k.startswith("PAIRVISOR_")} == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/h",
        "B": "b",
        "X": "s",
    }


def test_references_in_values_see_what_was_there_before(resolved: Loader) -> None:
    text = (
        f'env = {{ A = "${{env.A}}2" }}\n{SOUND}env = {{ A = "${{env.A}}3", B = "${{env.A}}" }}\n'
    )
    env = resolved(text, A="1").primary.env
    assert (env["A"], env["B"]) == ("123", "12")


def test_references_are_replaced_once(resolved: Loader) -> None:
    text = '[primary]\ncommand = ["sleep", "${env.A}", "$$", "$${name}", "$1 $", "$$$$x"]\n'
    command = resolved(text, A="${name}").primary.command
    assert command == ("sleep", "${name}", "$", "${name}", "$1 $", "$$x")


def test_members_do_not_share_a_dict(resolved: Loader) -> None:
    group = resolved(SOUND + '[sidecars.a]\ncommand = "sleep 1"\n')
    assert group.primary.env is not group.members["a"].env


def test_the_program_is_looked_up_in_the_members_path(resolved: Loader, refused: Refuser) -> None:
    resolved('[primary]\ncommand = "sleep 1"\nenv = { PATH = "/bin" }\n')
    (said,) = refused('[primary]\ncommand = "sleep 1"\nenv = { PATH = "/no-such-folder" }\n')
    assert "not found in PATH (/no-such-folder)" in said


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\nA=3\n", {"A": "3", "B": "2"}),
        ("# c\n ; c\n\n  A = 1  \r\n", {"A": "1"}),
        ("A=a b  c \n", {"A": "a b  c"}),
        ("A='a\\nb' \n", {"A": "a\\nb"}),
        ("A='two\nlines'\nB=1", {"A": "two\nlines", "B": "1"}),
        ('A="a \\"b\\" \\$c \\x"\n', {"A": 'a "b" $c \\x'}),
        ('A="one\\\n two"\n', {"A": "one two"}),
        ("A=one\\\ntwo\nB=1\n", {"A": "onetwo", "B": "1"}),
        ("A=a\\b\\\\c\n", {"A": "ab\\c"}),
        ("A='a'\"b\"c\n", {"A": "abc"}),
        ("A=it's # not a comment\n", {"A": "it's # not a comment"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("A=a=b", {"A": "a=b"}),
    ],
)
def test_env_files(text: str, variables: dict[str, str]) -> None:
    assert parse_env(text) == variables


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nfoo\n", 2, "expected KEY=value"),
        ("export A=1\n", 1, 'expected KEY=value, without "export": no shell reads this'),
        ("A=1\n\n1A=2", 3, '"1A" is not a variable\'s name'),
        ("A=1\nB='x\n", 2, "a quote is never closed"),
        ('A="x', 1, "a quote is never closed"),
        ("A=\0", 1, "a value can't have a NUL character"),
    ],
)
def test_bad_env_files(text: str, line: int, message: str) -> None:
    with pytest.raises(EnvFileError) as caught:
        parse_env(text)
    assert (caught.value.line, caught.value.message) == (line, message)


def test_what_no_shell_passes_on_is_not_inherited(resolved: Loader) -> None:
    """Some members have a shell as a stage, others have not: all are told the same."""
    odd = {"my.dotted": "1", "BASH_FUNC_f%%": "() { :; }", "1ST": "x", "FINE_1": "x"}
    env = resolved("[primary]\ncommand = '/bin/sleep 1'", **odd).primary.env
    assert env.keys() & odd.keys() == {"FINE_1"}
