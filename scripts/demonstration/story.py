"""The story: two lives of a cloud, the disasters that end them, and what stands after each recovery."""

import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from domain.instant import to_microseconds
from scripts.demonstration import question
from scripts.demonstration.proof import Proof, compared, show
from scripts.demonstration.stage import Answer, Cloud, StepFailed, chapter, say
from scripts.demonstration.stores import Stores
from scripts.estate.composition import write_base, write_lost, write_more
from scripts.estate.deployment import inputs
from scripts.estate.draft import Draft, Part
from scripts.estate.landmark import landmarks
from scripts.sabotage import SABOTAGES, Scene

BACKED_UP_EDITION, LAST_EDITION = 3, 4
"""The editions of the landmark secret in the second backup, and at the end."""


@dataclass
class Story:
    """What survives every disaster: the repository, the identity, and what the teams who sent the changes still have."""

    folder: Path
    stores: Stores
    draft: Draft
    roles: Path | None = None
    sabotage: str | None = None

    def __post_init__(self) -> None:
        self.repository = f"file://{self.folder}/repository"
        self.identity = self.folder / "safe" / "identity.txt"
        self.teams = self.folder / "teams"
        for path in (self.identity.parent, self.teams):
            path.mkdir()

    def play(self) -> list[Proof]:
        """Play it to its end and return all proofs."""
        first = self.new_cloud("cloud")
        chapter("a new cloud")
        self.install(first)
        self.record(first, "base")
        earlier = self.back_up(first)["lastRecordedAt"]
        self.record(first, "more")
        backed_up = self.back_up(first)
        known = landmarks(self.draft, BACKED_UP_EDITION)
        questions = question.all_questions(known, backed_up["last"], earlier)
        say("asking what will be asked again after the recovery")
        expected = {**question.ask(first, questions), "state digest": self.verify(first)}
        self.record(first, "lost")
        lost = len(self.draft.requests["lost"])

        self.destroy(first)
        second = self.new_cloud("recovered")
        begin = time.monotonic()
        report = self.recover(second, self.deployment)
        rto = time.monotonic() - begin
        recovered = {**question.ask(second, questions), "state digest": _digest_in(report)}
        proofs = compared(expected, recovered)
        resent = self.record(second, "more") + self.record(second, "lost")
        proofs += [
            Proof("changes sent again: recorded", str(lost), str(resent["recorded"])),
            Proof("changes sent again: known", str(len(self.draft.requests["more"])), str(resent["repeated"])),
        ]
        show(proofs)
        self.measure(report, lost, rto)
        return proofs + self.second_disaster(second)

    def second_disaster(self, second: Cloud) -> list[Proof]:
        """Destroy and recover once more, from the recovered cloud's own backup."""
        chapter("the recovered cloud makes a backup of its own")
        second.settle(self.repository)
        self.endorse(second)
        backed_up = self.back_up(second)
        known = landmarks(self.draft, LAST_EDITION)
        questions = question.short_questions(known, backed_up["last"])
        expected = {**question.ask(second, questions), "state digest": self.verify(second)}
        self.destroy(second)
        third = self.new_cloud("recovered-again")
        report = self.recover(third, backed_up["deployment"])
        proofs = compared(expected, {**question.ask(third, questions), "state digest": _digest_in(report)})
        show(proofs)
        return proofs

    def new_cloud(self, name: str) -> Cloud:
        """Return a cloud in a new empty folder, with a store that is not there yet."""
        (self.folder / name).mkdir()
        return Cloud(self.folder / name, self.stores.url(name))

    def install(self, cloud: Cloud) -> None:
        """Make the identity, the deployment, and the endorsement by which a recovery will know its signer."""
        cloud.settle(self.repository)
        (cloud.folder / "inputs.yaml").write_text(inputs(self.draft), "utf-8")
        recipient = cloud.step("key", "generate", "--output", str(self.identity), "--json").json["recipient"]
        password = self.draft.password("operator-1")
        answer = cloud.step("init", "inputs.yaml", "--recipient", f"safe={recipient}", "--json", given=password)
        self.deployment: str = answer.json["deployment"]
        say(f"deployment {self.deployment}", answer)
        self.endorse(cloud)

    def endorse(self, cloud: Cloud) -> None:
        """Let the holder of the identity vouch for the cloud's signer."""
        verifier = cloud.step("key", "inspect", "--json").json["verifier"]
        [word] = cloud.step("key", "endorse", verifier, "--identity", str(self.identity), "--json").json["endorsements"]
        cloud.step("key", "endorse", "--accept", word)

    def record(self, cloud: Cloud, part: Part) -> Counter[str]:
        """Send a part of the estate; nothing in it may be refused."""
        path = self.teams / f"{part}.jsonl"
        if not path.exists():
            {"base": self.write_base, "more": lambda: write_more(self.draft), "lost": lambda: write_lost(self.draft)}[part]()
            path.write_text(self.draft.lines(part), "utf-8")
        answer = cloud.step("record", str(path))
        outcomes = answer.lines
        self.draft.outcomes = {**self.draft.outcomes, **{o["commandId"]: o["resources"] for o in outcomes}}
        counts = Counter(outcome["status"] for outcome in outcomes)
        self.last_recorded_at: str = outcomes[-1]["recordedAt"]
        say(", ".join(f"{count} {status}" for status, count in counts.items()), answer)
        return counts

    def write_base(self) -> None:
        """Write the base, with the role definitions that were asked for."""
        write_base(self.draft, self.roles)

    def back_up(self, cloud: Cloud) -> dict[str, object]:
        """Run a backup."""
        answer = cloud.step("backup", "run", "--json")
        made: dict[str, object] = answer.json
        say(f"manifest {made['sequence']}: {made['newRecords']} new records, {made['newKeys']} keys, {made['writtenBytes']:,} bytes",
            answer)  # fmt: skip
        return made

    def verify(self, cloud: Cloud) -> str:
        """Fold the whole log anew, and return the state digest."""
        answer = cloud.step("log", "verify", "--json")
        say(f"{answer.json['size']} records, {answer.json['versions']} versions, {answer.json['links']} links agree", answer)
        return _shortened(answer.json["stateDigest"])

    def destroy(self, cloud: Cloud) -> None:
        """Delete store, root key, settings and working folder."""
        if self.sabotage and cloud.folder.name == "cloud":
            say(f"sabotage: {self.sabotage}")
            SABOTAGES[self.sabotage](Scene(self.folder / "repository", self.identity, cloud.folder, cloud.store))
        chapter("disaster")
        self.destroyed_at_us = to_microseconds(self.last_recorded_at)
        self.stores.drop(cloud.folder.name)
        shutil.rmtree(cloud.folder)
        say(f"{cloud.folder.name}: store, root key, settings and working folder are deleted")
        say(f"left are: {', '.join(sorted(path.name for path in self.folder.iterdir()))}")

    def recover(self, cloud: Cloud, deployment: str) -> dict[str, object]:
        """Recover with nothing but the repository and the identity; only a choice between deployments must be named."""
        where = [self.repository, "--identity", str(self.identity), *self.stores.flags(cloud.folder.name)]
        which = ["--deployment", deployment] if deployment != self.deployment else []
        answer = cloud.step("recover", *where, *which, "--json", prefix="env -i PATH=… ")
        report: dict[str, object] = answer.json
        say(f"open as deployment {report['deployment']}", answer)
        cloud.settle(self.repository)
        return report

    def measure(self, report: dict[str, object], lost: int, rto_s: float) -> None:
        """Say how much was lost and how long it took."""
        last = report["lastRecoveredChange"]
        assert isinstance(last, dict)
        seconds = (self.destroyed_at_us - to_microseconds(last["recordedAt"])) / 1_000_000
        say(f"RPO: the {lost} changes of the last {seconds:.1f} s, which came after the last backup, until they were sent again")
        say(f"RTO: {rto_s:.1f} s from the empty machine to the open deployment")


def _digest_in(report: dict[str, object]) -> str:
    comparisons = report["comparisons"]
    assert isinstance(comparisons, list)
    return next(_shortened(c["found"]) for c in comparisons if c["name"] == "state digest")


def _shortened(digest: str) -> str:
    return f"{digest[:16]}…"
