"""Manifests: signed, in one spelling only, and consistent in themselves."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.errors import Corrupt
from infra.backup import manifest, memory
from infra.backup.manifest import Manifest
from infra.backup.signed_document import SIGNATURE_LABEL
from infra.canonical_json import encode
from infra.keys import base64_text
from infra.keys.signer import Signer
from infra.log import checkpoint
from infra.log.checkpoint import Checkpoint
from tests.backup_estate import Estate, estate, lived_in
from tests.forgery import re_signed, resealed
from tests.infra.control_plane.installation import ROOT_KEY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate")) as one:
        lived_in(one).endorse()
        one.back_up()
        yield one


@pytest.fixture(scope="module")
def signer(made: Estate) -> Signer:
    with made.database.read() as session:
        return memory.get_signer(session, ROOT_KEY)


@pytest.fixture(scope="module")
def newest(made: Estate) -> Manifest:
    return made.newest


@pytest.fixture(scope="module")
def data(made: Estate) -> bytes:
    return made.objects("manifests")[-1].read_bytes()


def parse(data: bytes, name: str) -> Manifest:
    found = manifest.parse(data, name)
    found.check()
    return found


def test_a_manifest_reads_back(newest: Manifest, data: bytes, signer: Signer) -> None:
    assert manifest.sign(newest, signer) == data
    assert parse(data, newest.name) == newest


def test_a_manifest_that_does_not_say_who_opens_what_reads_back(newest: Manifest, signer: Signer) -> None:
    earlier = newest.model_copy(update={"audiences": None})
    data = manifest.sign(earlier, signer)
    assert b"audiences" not in data
    assert parse(data, newest.name) == earlier


def test_every_flipped_bit_is_refused_by_name(newest: Manifest, data: bytes) -> None:
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            with pytest.raises(Corrupt):
                parse(bytes(flipped), newest.name)


def test_every_truncation_is_refused_by_name(newest: Manifest, data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(Corrupt, match=newest.name):
            parse(data[:length], newest.name)


def test_another_spelling_is_refused(newest: Manifest, data: bytes, signer: Signer) -> None:
    def signed(body: bytes) -> bytes:
        signature = base64_text.encode(signer.sign(manifest.PREFIX + body)).encode()
        return body + SIGNATURE_LABEL + signature + b"\n"

    body = data.partition(b"\n")[0] + b"\n"
    assert parse(signed(body), newest.name)
    for other in (body.replace(b",", b", ", 1), b" " + body, body.replace(b"{", b'{"a":1,', 1), body[:-1] + b"\r\n"):
        with pytest.raises(Corrupt):
            parse(signed(other), newest.name)
    for other in (data + b"\n", data + data, data.replace(b"ed25519 ", b"ed25519  "), data[:-1]):
        with pytest.raises(Corrupt):
            parse(other, newest.name)


def test_a_manifest_under_another_name_is_refused(newest: Manifest, data: bytes) -> None:
    moved = newest.name.replace("4.json", "5.json")
    with pytest.raises(Corrupt, match="it was moved"):
        parse(data, moved)
    assert manifest.decode(data, "whatever") == newest


EDITS: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("format", lambda value: value.update(format=2)),
    ("extra", lambda value: value.update(extra=1)),
    ("last", lambda value: value.pop("last")),
    ("last", lambda value: value.update(last="22")),
    ("last", lambda value: value.update(last=-1)),
    ("sequence", lambda value: value.update(sequence=0)),
    ("deployment", lambda value: value.update(deployment="../../etc")),
    ("segments.0.sha256", lambda value: value["segments"][0].update(sha256="../x")),
    ("created_at", lambda value: value.update(created_at="\x1b[2Jsoon")),
    ("recorded_at", lambda value: value.update(recorded_at="later\n")),
    ("parent_epoch", lambda value: value.update(parent_epoch="none")),
    ("previous", lambda value: value.update(previous="none")),
    ("release", lambda value: value.update(release="1.0\x1b[0m")),
    ("void", lambda value: value.update(void=["anything"])),
    ("recipients.0.fingerprint", lambda value: value["recipients"][0].update(fingerprint="\x07")),
    ("endorsements.0.mac", lambda value: value["endorsements"][0].update(mac="ä" * 44)),
    ("state_digest", lambda value: value.update(state_digest="00")),
    ("encryption", lambda value: value.update(encryption="none")),
]


@pytest.mark.parametrize(("where", "edit"), EDITS)
def test_a_member_of_another_form_is_refused_though_it_is_signed(
    newest: Manifest, data: bytes, signer: Signer, where: str, edit: Callable[[dict[str, object]], None]
) -> None:
    with pytest.raises(Corrupt, match=f"is not a manifest of format 1: {where}"):
        parse(resealed(data, edit, signer), newest.name)


@pytest.mark.parametrize("value", [b"[]", b"1", b'"text"', b"null", b"{}", b"[" * 500 + b"]" * 500, b"\xff"])
def test_what_is_no_manifest_at_all_is_refused(signer: Signer, value: bytes) -> None:
    signature = SIGNATURE_LABEL + encode("A" * 86 + "==").strip(b'"')
    with pytest.raises(Corrupt):
        manifest.parse(value + b"\n" + signature + b"\n", "it")


def test_the_signer_of_another_deployment_is_refused(newest: Manifest) -> None:
    other = Signer.generate(manifest.origin("00000000-0000-4000-8000-000000000000"))
    forged = manifest.sign(re_signed(newest, other), other)
    with pytest.raises(Corrupt, match="the signer of another deployment"):
        parse(forged, newest.name)


def test_a_checkpoint_of_another_log_size_or_tree_is_refused(newest: Manifest, signer: Signer) -> None:
    told = newest.opened_checkpoint()
    others = (
        (Checkpoint(manifest.origin(newest.epoch), told.size, told.root), "the checkpoint .* is of"),
        (Checkpoint(told.origin, told.size - 1, told.root), "the checkpoint .* is of"),
        (Checkpoint(told.origin, told.size, bytes(32)), "a checkpoint of another tree"),
    )
    for other, said in others:
        forged = newest.model_copy(update={"checkpoint": checkpoint.sign(other, signer)})
        with pytest.raises(Corrupt, match=said):
            parse(manifest.sign(forged, signer), newest.name)


def test_segments_that_do_not_meet_are_refused(newest: Manifest, signer: Signer) -> None:
    first, second, third = newest.segments
    for segments, said in (
        ((second, third), "jumps from position 0 to segment 16-20"),
        ((first, third), "jumps from position 15 to segment 21-22"),
        ((first, second, second, third), "jumps from position 20 to segment 16-20"),
        ((first, second), "covers positions up to 20, not 22"),
        ((first, second, third.model_copy(update={"frontier": first.frontier})), "is one of 15 records"),
        ((first, second, third.model_copy(update={"frontier": "AAAA"})), "does not fit its size"),
        ((first, second, third.model_copy(update={"frontier": "?"})), "is not base64"),
        ((), "covers positions up to 0, not 22"),
    ):
        forged = newest.model_copy(update={"segments": segments})
        with pytest.raises(Corrupt, match=said):
            parse(manifest.sign(forged, signer), newest.name)


def test_keyrings_that_do_not_meet_are_refused(newest: Manifest, signer: Signer) -> None:
    [base] = newest.keyring
    first, second, third = (
        base.model_copy(update={"after": after, "until": until}) for after, until in ((0, 15), (15, 20), (20, 22))
    )
    met = newest.model_copy(update={"keyring": (first, second, third)})
    assert parse(manifest.sign(met, signer), newest.name) == met
    for keyring in (
        (second, third),
        (first, third),
        (third, first),
        (first, second, third.model_copy(update={"until": 99})),
    ):
        forged = newest.model_copy(update={"keyring": keyring})
        with pytest.raises(Corrupt, match=r"has a keyring for|has keys up to position 99"):
            parse(manifest.sign(forged, signer), newest.name)
