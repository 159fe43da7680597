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
from scripts.demonstration.stage import Answer, Cloud, StepFailed
from scripts.estate.landmark import Landmarks

AT_ONCE = 2
REFUSED, NOT_FOUND, WRONG_CREDENTIAL = 3, 4, 7
NO_ANSWER = "no answer: "
DEPLOYMENT = "/providers/Resurgam.Admin/deployments/default"

Facts = Mapping[str, str]
"""Proof -> the answer, short enough to be shown; what is long is there as its SHA-256."""


@dataclass(frozen=True, slots=True)
class Question:
    """Commands to run, and what their answers say; `must` is what the answer has to hold, or it would prove nothing."""

    commands: Sequence[Sequence[str]]
    read: Callable[[Sequence[Answer]], Facts]
    must: str = ""
    given: str = ""


def ask(cloud: Cloud, questions: Sequence[Question]) -> dict[str, str]:
    """Return the facts that all answers give, in the order of the questions."""
    return {proof: fact for facts in _answered(cloud, questions) for proof, fact in facts.items()}


def ask_living(cloud: Cloud, questions: Sequence[Question]) -> dict[str, str]:
    """Return the facts as they will be expected; raise StepFailed if an answer is one that would prove nothing."""
    answered = _answered(cloud, questions)
    for question, facts in zip(questions, answered, strict=True):
        for proof, fact in facts.items():
            if question.must not in fact or fact.startswith(NO_ANSWER):
                raise StepFailed(f"{proof}: {fact!r} does not hold {question.must!r}, so it would prove nothing", 1)
    return {proof: fact for facts in answered for proof, fact in facts.items()}


def _answered(cloud: Cloud, questions: Sequence[Question]) -> list[Facts]:
    def one(question: Question) -> Facts:
        answers = [cloud.ask(*command, given=question.given) for command in question.commands]
        try:
            return question.read(answers)
        except (LookupError, TypeError, ValueError):
            asked, reasons = " ".join(question.commands[0][:2]), (a.reason or a.output[:80] for a in answers)
            return {asked: NO_ANSWER + "; ".join(reasons)}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, questions))


def short_questions(known: Landmarks, position: int) -> list[Question]:
    """Return what is asked at least: all that there is, who logs in, what they may do, and a secret."""
    log = ["log", "prove", str(position), "--from", str(position), "--json"]
    value = _text_digest(known.secret_value)
    return [
        Question([["diff", "0", str(position), "--json"]], _counts_and_state),
        _one(f"Merkle root at position {position}", log, lambda a: a.json["fromRoot"][:16] + "…", must="…"),
        _login("the operator logs in", known.operator, known.operator_password, must="as"),
        _login("the tenant logs in", known.tenant, known.tenant_password, must="as"),
        *_access(known),
        _one("a secret", ["secret", "read", known.secret, "--reason", "drill"], _value, must=value),
    ]


def further_questions(known: Landmarks, earlier: str) -> list[Question]:
    """Return everything else that is asked; `earlier` is an instant well before the backup."""
    return [
        _state_at(earlier),
        *_seen_by_tenants(known),
        *_limits(known),
        _login("a wrong password", known.operator, "a wrong one", must="wrong credential"),
        _one("a purged secret", ["secret", "read", known.purged_secret, "--reason", "drill"], _outcome, must="found"),
        _certificate(known),
        _one("federation trust", ["get", known.trust, "--json"], lambda a: _digest(a.json["state"]), must="sha256"),
        _one(
            "deployment inputs",
            ["get", DEPLOYMENT, "--json"],
            lambda a: _digest(a.json["state"]["inputs"]),
            must="sha256",
        ),
    ]


def _one(
    proof: str, command: Sequence[str], fact: Callable[[Answer], str], must: str = "", given: str = ""
) -> Question:
    return Question([command], lambda answers: {proof: fact(answers[0])}, must, given)


def _login(proof: str, who: str, password: str, *, must: str) -> Question:
    def fact(answer: Answer) -> str:
        return f"as {answer.json['objectId']}" if answer.exit_code == 0 else _outcome(answer)

    return _one(proof, ["authenticate", who, "--json"], fact, must, given=password)


def _counts_and_state(answers: Sequence[Answer]) -> Facts:
    differences = answers[0].json["differences"]
    counts = Counter(KINDS[difference["kind"]].service for difference in differences)
    return {
        **{f"resources: {area}": str(count) for area, count in sorted(counts.items())},
        "every field of all of them": _digest(differences),
    }


def _state_at(instant: str) -> Question:
    return _one(
        f"everything at {instant[:19]}Z",
        ["diff", "0", instant, "--json"],
        lambda a: f"{len(a.json['differences'])} resources, {_digest(a.json)}",
        must="sha256",
    )


def _seen_by_tenants(known: Landmarks) -> Iterator[Question]:
    """The tenant sees what it subscribed to and nothing else; of its workloads there is nothing to be seen."""
    for kind, one in (("subscription", "Subscription 1"), ("offer", "small offer"), ("plan", "small services")):
        yield _one(f"{kind}s that the tenant sees", ["get", kind, "--as", known.tenant, "--json"], _seen, must=one)
    other = ["get", known.subscription, "--as", known.other_tenant, "--json"]
    yield _one("another tenant looks at its subscription", other, _outcome, must="found")
    machine = f"{known.resource_group}/providers/Microsoft.Compute/virtualMachines/vm-1"
    yield _one(
        "the tenant looks for its workloads", ["get", machine, "--as", known.tenant, "--json"], _outcome, must="found"
    )


def _access(known: Landmarks) -> Iterator[Question]:
    for proof, action, must in (
        ("what was allowed", "Microsoft.Compute/virtualMachines/write", "allowed"),
        ("what was forbidden", "Microsoft.Authorization/roleAssignments/write", "denied"),
    ):
        yield _one(
            proof, ["access", "check", known.engineer, action, known.resource_group, "--json"], _decision, must=must
        )


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
        root_name = known.root.rsplit("/", 1)[1]
        return {"a certificate and its root": f"chains to {root_name}, {_text_digest(state['certificate'])}"}

    return Question([["get", "issued-certificate", "--json"], ["get", known.root, "--json"]], chained, must="chains")


def _outcome(answer: Answer) -> str:
    words = {0: "done", REFUSED: "refused", NOT_FOUND: "not found", WRONG_CREDENTIAL: "wrong credential"}
    return words.get(answer.exit_code, f"exit code {answer.exit_code}")


def _value(answer: Answer) -> str:
    return _text_digest(answer.output) if answer.exit_code == 0 else _outcome(answer)


def _decision(answer: Answer) -> str:
    decision = answer.json
    path = decision["path"]
    how = f" by role {path['role']} through {len(path['groups'])} groups" if path else ""
    return f"{'allowed' if decision['allowed'] else 'denied'}: {decision['reason']}{how}"


def _violation(answer: Answer) -> str:
    [violation] = answer.json["admission"]["quota"]["violations"]
    used, requested = violation["used"], violation["requested"]
    return f"{violation['field']} {used} + {requested} exceeds {violation['limit']} ({len(violation['quotas'])} quotas)"


def _findings(answer: Answer) -> str:
    findings = answer.json["admission"]["policies"]
    return ", ".join(f"{finding['outcome']} by {finding['definition'].rsplit('/', 1)[1]}" for finding in findings)


def _seen(answer: Answer) -> str:
    resources = answer.json["resources"]
    return f"{len(resources)}: {', '.join(resource['state']['displayName'] for resource in resources)}"


def _digest(value: Any) -> str:
    return _text_digest(json.dumps(value, sort_keys=True))


def _text_digest(text: str) -> str:
    return f"sha256 {sha256(text.encode()).hexdigest()[:16]}"
