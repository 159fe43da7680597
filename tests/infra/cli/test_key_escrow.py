"""`resurgam key escrow` and `key join`: files of their owner alone, or one share at a time on a terminal."""

import os
import pty
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from infra.backup.age import read_identity_file
from tests.infra.cli.command_line import PROGRAM, ROOT, CommandLine
from tests.x509_recipients import certificate, pfx

ESCROW = ("key", "escrow", "--identity", "identity.txt", "--threshold", "2", "--shares", "3")


@pytest.fixture
def generated(cli: CommandLine) -> CommandLine:
    """A command line with an identity."""
    cli.done("key", "generate", "--output", "identity.txt")
    return cli


def test_an_identity_comes_back_from_the_files_of_its_shares(generated: CommandLine) -> None:
    answer = generated.done(*ESCROW, "--output", "shares", "--json").json
    assert answer["files"] == [f"shares/share-{number}-of-3.txt" for number in (1, 2, 3)]
    for path in map(Path, answer["files"]):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert f"# fingerprint: {answer['fingerprint']} (post-quantum)" in path.read_text()
    assert stat.S_IMODE(Path("shares").stat().st_mode) == 0o700
    joined = generated.done("key", "join", "--output", "again.txt", *answer["files"][1:])
    assert read_identity_file(Path("again.txt")) == read_identity_file(Path("identity.txt"))
    assert stat.S_IMODE(Path("again.txt").stat().st_mode) == 0o600
    assert joined.out.strip() == str(read_identity_file(Path("identity.txt"))[0].recipient)
    words = Path(answer["files"][1]).read_text().splitlines()[-1]
    assert words not in joined.out + joined.err
    assert generated("key", "join", "--output", "again.txt", *answer["files"]).code == 3


def test_shares_are_never_overwritten_and_none_is_left_behind_alone(generated: CommandLine) -> None:
    Path("shares").mkdir()
    Path("shares/share-3-of-3.txt").write_text("another's")
    refused = generated(*ESCROW, "--output", "shares")
    assert (refused.code, refused.out) == (3, "")
    assert [path.name for path in Path("shares").iterdir()] == ["share-3-of-3.txt"]
    assert Path("shares/share-3-of-3.txt").read_text() == "another's"


def test_what_is_wrong_with_shares_decides_the_exit_code(generated: CommandLine) -> None:
    generated.done(*ESCROW, "--output", "one")
    generated.done(*ESCROW, "--output", "two")
    join = ("key", "join", "--output", "again.txt")
    assert generated(*join, "one/share-1-of-3.txt").code == 3
    assert generated(*join, "one/share-1-of-3.txt", "two/share-2-of-3.txt").code == 3
    assert generated(*join, "one/share-1-of-3.txt", "none.txt").code == 4
    Path("wrong.txt").write_text(re.sub(r"\n(\w+) ", "\ncanary ", Path("one/share-1-of-3.txt").read_text(), count=1))
    wrong = generated(*join, "wrong.txt", "one/share-2-of-3.txt")
    assert (wrong.code, "word 1 " in wrong.err, "canary" in wrong.err) == (2, True, False)
    assert generated(*join).code == 2
    assert not Path("again.txt").exists()


def test_only_one_identity_of_age_is_split(generated: CommandLine) -> None:
    Path("two.txt").write_text(Path("identity.txt").read_text() * 2)
    assert "2 identities" in generated("key", "escrow", "--identity", "two.txt", *ESCROW[4:], "--output", "s").err
    Path("office.pfx").write_bytes(pfx(certificate(), password=None))
    refused = generated("key", "escrow", "--identity", "office.pfx", *ESCROW[4:], "--output", "s")
    assert (refused.code, "PFX" in refused.err) == (2, True)
    for numbers in (("1", "3"), ("4", "3"), ("2", "17")):
        given = ("--threshold", numbers[0], "--shares", numbers[1], "--output", "s")
        assert generated("key", "escrow", "--identity", "identity.txt", *given).code == 2
    assert not Path("s").exists()


def test_shares_are_never_written_into_a_pipe(generated: CommandLine) -> None:
    for options in ((), ("--json",)):
        refused = generated(*ESCROW, *options)
        assert (refused.code, refused.out) == (2, "")


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self._own, other = pty.openpty()
        self.shown = ""
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"},
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)

    def wait_for(self, text: str) -> str:
        """Read until a text is shown, and return what was shown since the last one."""
        begin = len(self.shown)
        while text not in self.shown[begin:]:
            self.shown += self._read()
        return self.shown[begin:]

    def type(self, text: str) -> None:
        os.write(self._own, text.encode() + b"\n")

    def end(self) -> int:
        while part := self._read(at_end=True):
            self.shown += part
        os.close(self._own)
        return self._process.wait()

    def _read(self, *, at_end: bool = False) -> str:
        try:
            return os.read(self._own, 65_536).decode()
        except OSError:
            assert at_end, self.shown
            return ""


def test_on_a_terminal_each_share_is_shown_alone_and_they_are_typed_in_unseen(generated: CommandLine) -> None:
    splitting = Terminal(*ESCROW)
    shares = []
    for number in (1, 2, 3):
        shown = splitting.wait_for(f"Custodian {number}")
        assert shown.count("# Share") == 1
        words = re.findall(r"^[a-z ]+$", shown.partition("# fingerprint")[2].replace("\r", ""), re.MULTILINE)
        shares.append(" ".join(words))
        splitting.type("")
    assert splitting.end() == 0
    assert splitting.shown.count("\x1b[3J") >= 3

    joining = Terminal("key", "join", "--output", "again.txt")
    joining.wait_for("words of share 1:")
    joining.type("canary " + shares[0])
    joining.wait_for("words of share 1:")
    assert "its word 1 is none" in joining.shown
    joining.type(shares[0])
    joining.wait_for("words of share 2:")
    joining.type(shares[0])
    joining.wait_for("words of share 2:")
    assert "given already" in joining.shown
    joining.type(shares[2])
    assert joining.end() == 0
    assert shares[0] not in joining.shown
    assert read_identity_file(Path("again.txt")) == read_identity_file(Path("identity.txt"))
