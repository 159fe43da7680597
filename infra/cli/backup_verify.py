"""`resurgam backup verify`: whether backups are whole and whose they are."""

from infra.backup import choice, endorsement, verification
from infra.backup.endorsement import Trust
from infra.backup.lines_file import with_identities
from infra.backup.segment import OpenerOf
from infra.cli import identity_file, output, progress, repository, settings
from infra.cli.options import Json, example, group
from infra.cli.repository import Deployment, Expect, Identity, Location, NamedVerifier

app = group("Verify backups.")


@app.command(epilog=example("resurgam backup verify", "resurgam backup verify --identity identity.txt"))
def verify(
    as_json: Json = False,
    location: Location = None,
    of: Deployment = None,
    identity: Identity = None,
    verifier: NamedVerifier = None,
    expect: Expect = None,
) -> None:
    """Check every object of the repository against its signed manifests.

    Without an identity: presence, sizes, hashes, signatures and the chain. With one also every record, the Merkle root
    and the keys. What this cannot tell, whether the records make the same state again, `backup drill` does.
    """
    opened = repository.opened(settings.load(repository=location))
    identities = identity_file.read(identity) if identity else ()
    named, expected = repository.parse_verifier(verifier), repository.parse_expectation(expect)
    opener_of = OpenerOf(with_identities(identities)) if identities else None
    answers = []
    for one in [of] if of else opened.deployments():
        with progress.shown(as_json=as_json) as heard:
            found = verification.verify(opened, one, opener_of, expected, heard, identities)
        trust = endorsement.trust(found.newest.manifest, identities, named, first_use=True)
        answers.append({**_verified(found), "signer": trust.verifier.fingerprint, "signerTrust": _trust(trust)})
    if not answers:
        choice.choose(opened, of)
    if as_json:
        output.write_json({"repository": opened.id, "deployments": answers})
        return
    for answer in answers:
        output.write_fields(answer.items())


def _verified(found: verification.Verified) -> dict[str, object]:
    of = found.newest.manifest
    return {
        "deployment": of.deployment,
        "opened": found.opened,
        "manifests": found.manifests,
        "segments": found.segments,
        "keyrings": found.keyrings,
        "answers": found.answers,
        "records": found.records,
        "keys": found.keys,
        "sizeBytes": found.size_bytes,
        "restorable": {"first": 1 if of.last else 0, "last": of.last, "until": of.recorded_at},
        "unnamedObjects": list(found.unnamed),
        "attestations": found.attestations,
        "uncheckedAttestations": found.unchecked,
    }


def _trust(trust: Trust) -> str:
    return {"Endorsed": "endorsed", "Named": "named", "FirstUse": "unproven"}[trust.reason]
