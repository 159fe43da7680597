"""Questions: what is asked of a cloud before its disaster and after its recovery, and must be answered alike."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from domain.control_plane import KINDS
from scripts.demonstration.stage import Answer, Cloud
from scripts.estate.landmark import Landmarks

AT_ONCE = 2
REFUSED, NOT_FOUND, WRONG_CREDENTIAL = 3, 4, 7
DEPLOYMENT = "/providers/Resurgam.Admin/deployments/default"

Facts = Mapping[str, str]
"""Proof -> the answer, short enough to be shown; what is long is there as its SHA-256."""


@dataclass(frozen=True, slots=True)
class Question:
    """Commands to run, and what their answers say. `must` is what the answer has to hold, so that it proves something."""

    commands: Sequence[Sequence[str]]
    read: Callable[[Sequence[Answer]], Facts]
    must: str = ""
    given: str = ""


def ask(cloud: Cloud, questions: Sequence[Question]) -> dict[str, str]:
    """Return the facts that all answers give, in the order of the questions."""

    def one(question: Question) -> Facts:
        answers = [cloud.ask(*command, given=question.given) for command in question.commands]
        try:
            facts = question.read(answers)
        except (LookupError, TypeError, ValueError):
            facts = {" ".join(question.commands[0][:2]): "; ".join(a.errors.strip() or a.output[:80] for a in answers)}
        return {
            proof: fact if question.must in fact else f"{fact}, not {question.must!r} as it should be"
            for proof, fact in facts.items()
        }

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {proof: fact for facts in pool.map(one, questions) for proof, fact in facts.items()}


def all_questions(known: Landmarks, position: int, earlier: str) -> list[Question]:
    """Return everything that is asked of a cloud at a position; `earlier` is an instant long before."""
    return [
        *short_questions(known, position),
        _state_at(earlier, "state before the second backup"),
        *_seen_by_tenants(known),
        *_access(known),
        *_limits(known),
        _one("a wrong password", ["authenticate", known.operator], _outcome, must="credential", given="a wrong one"),
        _one("a purged secret", ["secret", "read", known.purged_secret, "--reason", "drill"], _outcome, must="found"),
        _certificate(known),
        _one("federation trust", ["get", known.trust, "--json"], lambda a: _digest(a.json["state"]), must="sha256"),
        _one("deployment inputs", ["get", DEPLOYMENT, "--json"], lambda a: _digest(a.json["state"]["inputs"]), must="sha256"),
    ]


def short_questions(known: Landmarks, position: int) -> list[Question]:
    """Return what is asked at least: everything that there is, who logs in, and a secret."""
    log = ["log", "prove", str(position), "--from", str(position), "--json"]
    return [
        Question([["diff", "0", str(position), "--json"]], _counts_and_state),
        _one(f"Merkle root at position {position}", log, lambda a: a.json["fromRoot"][:16] + "…", must="…"),
        _one("the operator logs in", ["authenticate", known.operator, "--json"], _login, given=known.operator_password, must="logs in"),
        _one("the tenant logs in", ["authenticate", known.tenant, "--json"], _login, given=known.tenant_password, must="logs in"),
        _one("a secret", ["secret", "read", known.secret, "--reason", "drill"], lambda a: _text_digest(a.output), must=_text_digest(known.secret_value)),
    ]


def _one(proof: str, command: Sequence[str], fact: Callable[[Answer], str], must: str = "", given: str = "") -> Question:
    return Question([command], lambda answers: {proof: fact(answers[0])}, must, given)


def _counts_and_state(answers: Sequence[Answer]) -> Facts:
    differences = answers[0].json["differences"]
    counts = Counter(KINDS[difference["kind"]].service for difference in differences)
    return {
        **{f"resources: {area}": str(count) for area, count in sorted(counts.items())},
        "every field of all of them": _digest(differences),
    }


def _state_at(instant: str, proof: str) -> Question:
    return _one(proof, ["diff", "0", instant, "--json"], lambda a: f"{len(a.json['differences'])} resources, {_digest(a.json)}", must="sha256")


def _seen_by_tenants(known: Landmarks) -> Iterator[Question]:
    """The tenant sees what it subscribed to and nothing else; of its workloads there is nothing to be seen."""
    for kind in ("subscription", "offer", "plan"):
        command = ["get", kind, "--as", known.tenant, "--json"]
        yield _one(f"{kind}s that the tenant sees", command, _seen, must="sha256")
    other = ["get", known.subscription, "--as", known.other_tenant, "--json"]
    yield _one("another tenant looks at its subscription", other, _outcome, must="found")
    machine = f"{known.resource_group}/providers/Microsoft.Compute/virtualMachines/vm-1"
    yield _one("the tenant looks for its workloads", ["get", machine, "--as", known.tenant, "--json"], _outcome, must="found")


def _access(known: Landmarks) -> Iterator[Question]:
    for proof, action, must in (
        ("what was allowed", "Microsoft.Compute/virtualMachines/write", "allowed"),
        ("what was forbidden", "Microsoft.Authorization/roleAssignments/write", "denied"),
    ):
        yield _one(proof, ["access", "check", known.engineer, action, known.resource_group, "--json"], _decision, must=must)


def _limits(known: Landmarks) -> Iterator[Question]:
    request = ["--request", "compute.coresLimit=8", "--use", f"compute.coresLimit={known.cores_limit - 4}"]
    yield _one("a request over quota", ["quota", known.subscription, *request, "--json"], _violation,
               must=f"exceeds {known.cores_limit}")  # fmt: skip
    abroad = json.dumps({"type": "Microsoft.Compute/virtualMachines", "name": "vm-1", "location": "abroad"})
    yield _one("a request against a policy", ["quota", known.resource_group, "--resource", abroad, "--json"], _findings,
               must=f"deny by {known.policy.rsplit('/', 1)[1]}")  # fmt: skip


def _certificate(known: Landmarks) -> Question:
    def chained(answers: Sequence[Answer]) -> Facts:
        issued, root = answers
        states = [resource["state"] for resource in issued.json["resources"]]
        state = next(state for state in states if state["subject"] == known.certificate_subject)
        leaf = x509.load_pem_x509_certificate(state["certificate"].encode())
        issuer = x509.load_pem_x509_certificate(root.json["state"]["certificate"].encode())
        try:
            leaf.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return {"a certificate and its root": "the root did not sign it"}
        return {"a certificate and its root": f"chains to {known.root.rsplit('/', 1)[1]}, {_text_digest(state['certificate'])}"}

    return Question([["get", "issued-certificate", "--json"], ["get", known.root, "--json"]], chained, must="chains")


def _login(answer: Answer) -> str:
    return f"logs in as {answer.json['objectId'][:8]}…" if answer.exit_code == 0 else _outcome(answer)


def _outcome(answer: Answer) -> str:
    words = {0: "done", REFUSED: "refused", NOT_FOUND: "not found", WRONG_CREDENTIAL: "wrong credential"}
    return words.get(answer.exit_code, f"exit code {answer.exit_code}")


def _decision(answer: Answer) -> str:
    decision = answer.json
    through = len(decision["path"]["groups"]) if decision["path"] else 0
    return f"{'allowed' if decision['allowed'] else 'denied'}: {decision['reason']}, through {through} groups"


def _violation(answer: Answer) -> str:
    [violation] = answer.json["admission"]["quota"]["violations"]
    used, requested = violation["used"], violation["requested"]
    return f"{violation['field']} {used} + {requested} exceeds {violation['limit']} ({len(violation['quotas'])} quotas)"


def _findings(answer: Answer) -> str:
    findings = answer.json["admission"]["policies"]
    return ", ".join(f"{finding['outcome']} by {finding['definition'].rsplit('/', 1)[1]}" for finding in findings)


def _seen(answer: Answer) -> str:
    ids = [resource["id"] for resource in answer.json["resources"]]
    return f"{len(ids)}, {_digest(ids)}"


def _digest(value: Any) -> str:
    return _text_digest(json.dumps(value, sort_keys=True))


def _text_digest(text: str) -> str:
    return f"sha256 {sha256(text.encode()).hexdigest()[:16]}"
