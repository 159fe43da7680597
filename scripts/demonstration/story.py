"""The story: two lives of a cloud, the disasters that end them, and what stands after each recovery."""

import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.instant import to_microseconds
from scripts.demonstration import question
from scripts.demonstration.proof import Proof, compared, show
from scripts.demonstration.stage import Answer, Cloud, chapter, say
from scripts.demonstration.stores import Stores
from scripts.estate.composition import write_base, write_lost, write_more
from scripts.estate.deployment import inputs
from scripts.estate.draft import Draft, Part
from scripts.estate.landmark import landmarks
from scripts.sabotage import SABOTAGES, Scene

IDENTITY = "../safe/identity.txt"
"""Where its holder keeps it, as seen from every cloud's folder."""

BACKED_UP_EDITION, LAST_EDITION = 3, 4
"""The editions of the landmark secret in the second backup, and at the end."""


@dataclass
class Story:
    """What survives every disaster: the repository, the identity, and the changes that the teams sent."""

    folder: Path
    stores: Stores
    draft: Draft
    roles: Path | None = None
    sabotage: str | None = None

    def __post_init__(self) -> None:
        self.repository = f"file://{self.folder}/repository"
        for name in ("safe", "teams"):
            (self.folder / name).mkdir()

    def play(self) -> list[Proof]:
        """Play it and return all proofs; it ends where the first one fails."""
        first, second = self.new_cloud("cloud"), self.new_cloud("recovered")
        deployment = self.install(first)
        write_base(self.draft, self.roles)
        self.draft.outcomes = {o["commandId"]: o["resources"] for o in self.record(first, "base")}
        earlier = self.back_up(first)["lastRecordedAt"]
        write_more(self.draft)
        self.record(first, "more")
        backed_up = self.back_up(first)
        questions = self.questions(backed_up["last"], earlier)
        expected = self.facts_of_living(first, questions)
        write_lost(self.draft)
        lost = self.record(first, "lost")
        if self.sabotage:
            self.tamper(first)
        self.destroy(first)
        recovery = self.recover(second)
        proofs = compared(expected, self.facts_of_recovered(second, recovery, questions))
        proofs += self.send_again(second)
        show(proofs)
        _measure(recovery, backed_up["lastRecordedAt"], lost)
        if all(proof.is_true for proof in proofs):
            proofs += self.play_again(second, deployment)
        return proofs

    def play_again(self, second: Cloud, first_deployment: str) -> list[Proof]:
        """Destroy and recover once more, from the recovered cloud's own backup beside that of the first."""
        chapter("the recovered cloud makes a backup of its own")
        third = self.new_cloud("recovered-again")
        self.endorse(second, second.step("key", "inspect", "--json").json["verifier"])
        backed_up = self.back_up(second)
        assert backed_up["ancestor"] == first_deployment
        questions = question.short_questions(landmarks(self.draft, LAST_EDITION), backed_up["last"])
        expected = self.facts_of_living(second, questions)
        self.destroy(second)
        recovery = self.recover(third, "--deployment", backed_up["deployment"])
        proofs = compared(expected, self.facts_of_recovered(third, recovery, questions))
        show(proofs)
        return proofs

    def new_cloud(self, name: str) -> Cloud:
        """Return a cloud in a new empty folder, with a store that is not there yet."""
        (self.folder / name).mkdir()
        return Cloud(self.folder / name, self.stores.url(name))

    def install(self, cloud: Cloud) -> str:
        """Make the identity, the deployment, and the endorsement by which a recovery will know its signer."""
        chapter("a new cloud")
        cloud.settle(self.repository)
        (cloud.folder / "inputs.yaml").write_text(inputs(self.draft), "utf-8")
        recipient = cloud.step("key", "generate", "--output", IDENTITY, "--json").json["recipient"]
        password = self.draft.password("operator-1")
        answer = cloud.step("init", "inputs.yaml", "--recipient", f"safe={recipient}", "--json", given=password)
        say(f"deployment {answer.json['deployment']}", answer)
        self.endorse(cloud, answer.json["verifier"])
        return str(answer.json["deployment"])

    def endorse(self, cloud: Cloud, verifier: str) -> None:
        """Let the holder of the identity vouch for the cloud's signer."""
        [word] = cloud.step("key", "endorse", verifier, "--identity", IDENTITY, "--json").json["endorsements"]
        cloud.step("key", "endorse", "--accept", word)

    def record(self, cloud: Cloud, *parts: Part) -> list[Any]:
        """Send parts of the estate in one go, and return the outcomes; nothing may be refused."""
        name = "-and-".join(parts)
        requests = "".join(self.draft.lines(part) for part in parts)
        (self.folder / "teams" / f"{name}.jsonl").write_text(requests, "utf-8")
        answer = cloud.step("record", f"../teams/{name}.jsonl")
        counts = Counter(outcome["status"] for outcome in answer.lines)
        say(", ".join(f"{count} {status}" for status, count in counts.items()), answer)
        return answer.lines

    def back_up(self, cloud: Cloud) -> Any:
        """Run a backup."""
        answer = cloud.step("backup", "run", "--json")
        made = answer.json
        new = f"{made['newRecords']} new records, {made['newKeys']} keys, {made['writtenBytes']:,} bytes"
        say(f"manifest {made['sequence']}: {new}", answer)
        return made

    def questions(self, position: int, earlier: str) -> list[question.Question]:
        """Return what is asked about the backup that ends at a position; of a sabotaged one, what that may touch."""
        known = landmarks(self.draft, BACKED_UP_EDITION)
        questions = question.short_questions(known, position)
        return questions if self.sabotage else [*questions, *question.further_questions(known, earlier)]

    def facts_of_living(self, cloud: Cloud, questions: list[question.Question]) -> question.Facts:
        """Fold the whole log anew, and ask what will be asked again after the recovery."""
        answer = cloud.step("log", "verify", "--json")
        found = answer.json
        say(f"{found['size']} records, {found['versions']} versions and {found['links']} links agree", answer)
        say(f"asking {len(questions)} questions, which will be asked again after the recovery")
        return {"state digest": _shortened(found["stateDigest"]), **question.ask_living(cloud, questions)}

    def facts_of_recovered(self, cloud: Cloud, recovery: Answer, questions: list[question.Question]) -> question.Facts:
        """Ask again; the state digest is the one that the recovery found."""
        [digest] = [made["found"] for made in recovery.json["comparisons"] if made["name"] == "state digest"]
        return {"state digest": _shortened(digest), **question.ask(cloud, questions)}

    def tamper(self, cloud: Cloud) -> None:
        """Sabotage the backups while the keys of the cloud are still there."""
        assert self.sabotage is not None
        attack = SABOTAGES[self.sabotage]
        chapter(f"sabotage: {attack.__doc__}")
        attack(Scene(self.folder / "repository", cloud.folder / IDENTITY, cloud.folder, cloud.store))

    def destroy(self, cloud: Cloud) -> None:
        """Delete store, root key, settings and working folder."""
        chapter("disaster")
        self.stores.drop(cloud.folder.name)
        shutil.rmtree(cloud.folder)
        say(f"{cloud.folder.name} is gone: store, root key, settings and working folder")

    def recover(self, cloud: Cloud, *which: str) -> Answer:
        """Recover with nothing but the repository and the identity; only a choice between deployments must be named."""
        where = [self.repository, "--identity", IDENTITY, *self.stores.flags(cloud.folder.name)]
        answer = cloud.step("recover", *where, *which, "--json", prefix="env -i PATH=… ")
        say(f"open as deployment {answer.json['deployment']}", answer)
        cloud.settle(self.repository)
        return answer

    def send_again(self, cloud: Cloud) -> list[Proof]:
        """Let the teams send again what they sent last: only what was lost may be recorded."""
        known, lost = (len(self.draft.requests[part]) for part in ("more", "lost"))
        counts = Counter(outcome["status"] for outcome in self.record(cloud, "more", "lost"))
        return [
            Proof("changes sent again: recorded", str(lost), str(counts["recorded"])),
            Proof("changes sent again: known", str(known), str(counts["repeated"] + counts["unchanged"])),
        ]


def _measure(recovery: Answer, backed_up_at: str, lost: list[Any]) -> None:
    """Say how much was lost and how long it took."""
    seconds = (to_microseconds(lost[-1]["recordedAt"]) - to_microseconds(backed_up_at)) / 1_000_000
    say(f"RPO: {len(lost)} changes, of the {seconds:.1f} s after the last one that was backed up")
    say(f"RTO: {recovery.seconds:.1f} s from an empty folder to an open deployment")


def _shortened(digest: str) -> str:
    return f"{digest[:16]}…"
