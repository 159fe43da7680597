"""Recipients and identities of both kinds: their spelling, what they open, and what they refuse."""

import pytest

from domain.errors import Corrupt, Usage
from infra.backup.age import (
    HybridIdentity,
    NativeIdentity,
    Stanza,
    X25519Identity,
    X25519Recipient,
    bech32,
    fingerprint,
    generate_identity,
    parse_identity,
    parse_recipient,
)
from infra.backup.age.header import decode_base64, encode_base64

FILE_KEY = b"YELLOW SUBMARINE"
# The examples of the C2SP specification of age.
X25519_TEXT = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
X25519_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
HYBRID_TEXT = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"
HYBRID_RECIPIENT_ENDS = (
    "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6caq5aapdmwjjqpjfdyxnzr2zampc3ux",
    "cuk9ywnwfdzvyejnucz724hj77hrrmakm7pr3kxsrxq22ejexlud9fy2kdqmkg5yncz7jm5wv2qjk5w5kvcpqsry2yqffh2la52dxfjkjq5rzhj",
)

both_kinds = pytest.mark.parametrize(
    "identity", [generate_identity(), generate_identity(post_quantum=False)], ids=["post-quantum", "classical"]
)


def test_the_classical_example_of_the_specification() -> None:
    identity = parse_identity(X25519_TEXT)
    assert isinstance(identity, X25519Identity)
    assert identity.secret_text() == X25519_TEXT
    assert str(identity.recipient) == X25519_RECIPIENT
    assert str(parse_recipient(X25519_RECIPIENT)) == X25519_RECIPIENT
    assert not identity.recipient.post_quantum


def test_the_post_quantum_example_of_the_specification() -> None:
    identity = parse_identity(HYBRID_TEXT)
    assert isinstance(identity, HybridIdentity)
    assert identity.secret_text() == HYBRID_TEXT
    text = str(identity.recipient)
    assert text.startswith(HYBRID_RECIPIENT_ENDS[0])
    assert HYBRID_RECIPIENT_ENDS[1] in text
    assert text.endswith("0d3fzv49zc0k")
    assert parse_recipient(text) == identity.recipient
    assert identity.recipient.post_quantum


def test_an_identity_is_post_quantum_unless_asked_otherwise() -> None:
    assert isinstance(generate_identity(), HybridIdentity)
    assert isinstance(generate_identity(post_quantum=False), X25519Identity)
    assert generate_identity() != generate_identity()


@both_kinds
def test_only_the_matching_identity_unwraps(identity: NativeIdentity) -> None:
    stanza = identity.recipient.wrap(FILE_KEY)
    assert identity.unwrap(stanza) == FILE_KEY
    assert type(identity)(bytes(32)).unwrap(stanza) is None


@both_kinds
def test_a_stanza_of_another_type_is_passed_over(identity: NativeIdentity) -> None:
    stanza = identity.recipient.wrap(FILE_KEY)
    assert identity.unwrap(Stanza("resurgam.example/other", stanza.arguments, stanza.body)) is None
    assert identity.unwrap(Stanza(stanza.type.swapcase(), (), b"")) is None


@both_kinds
def test_a_misshapen_stanza_of_its_own_type_is_corrupt(identity: NativeIdentity) -> None:
    stanza = identity.recipient.wrap(FILE_KEY)
    (share,) = stanza.arguments
    share_bytes = decode_base64(share.encode())
    for arguments, body, damage in (
        ((), stanza.body, "has 0 arguments"),
        ((share, share), stanza.body, "has 2 arguments"),
        ((encode_base64(share_bytes[:-1]).decode(),), stanza.body, "the share .* is not"),
        ((encode_base64(share_bytes + b"\0").decode(),), stanza.body, "the share .* is not"),
        (("!" + share[1:],), stanza.body, "base64"),
        ((share,), stanza.body[:-1], "the body .* is not 32 bytes"),
        ((share,), stanza.body + b"\0", "the body .* is not 32 bytes"),
    ):
        with pytest.raises(Corrupt, match=damage):
            identity.unwrap(Stanza(stanza.type, arguments, body))


@both_kinds
def test_a_share_of_low_order_is_corrupt(identity: NativeIdentity) -> None:
    stanza = identity.recipient.wrap(FILE_KEY)
    mlkem_part = bytes(1088 if identity.recipient.post_quantum else 0)
    for point in (bytes(32), b"\1" + bytes(31)):
        share = encode_base64(mlkem_part + point).decode()
        with pytest.raises(Corrupt, match="low order"):
            identity.unwrap(Stanza(stanza.type, (share,), stanza.body))


@both_kinds
def test_an_identity_is_not_shown_by_accident(identity: NativeIdentity) -> None:
    shown = f"{identity} {identity!r}"
    assert identity.secret_text() not in shown
    assert identity.seed.hex() not in shown
    assert repr(identity.seed) not in shown


@both_kinds
def test_a_fingerprint_names_one_recipient(identity: NativeIdentity) -> None:
    assert fingerprint(identity.recipient) == fingerprint(parse_recipient(str(identity.recipient)))
    assert fingerprint(identity.recipient) != fingerprint(generate_identity().recipient)


def test_a_fingerprint_never_changes_its_definition() -> None:
    assert fingerprint(parse_recipient(X25519_RECIPIENT)) == "6a804773982840fa"
    assert fingerprint(parse_identity(HYBRID_TEXT).recipient) == "a091dd7e0ee9d62b"


@pytest.mark.parametrize(
    "text",
    ["", "age1", "operator", X25519_RECIPIENT.upper(), X25519_RECIPIENT[:-1], f" {X25519_RECIPIENT}", "age1pq1qqqqqq"],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(Usage, match="malformed age recipient"):
        parse_recipient(text)


def test_a_recipient_that_protects_nothing_is_refused_when_it_is_named() -> None:
    with pytest.raises(Usage, match="low order"):
        parse_recipient(str(X25519Recipient(bytes(32))))
    for public_key in (b"\xff" * 1216, generate_identity().recipient.public_key[:1184] + bytes(32)):
        with pytest.raises(Usage, match="no valid MLKEM768-X25519"):
            parse_recipient(bech32.encode("age1pq", public_key))


@pytest.mark.parametrize("text", [X25519_TEXT, HYBRID_TEXT, HYBRID_TEXT.lower()])
def test_an_identity_given_as_a_recipient_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Usage, match="must stay secret") as caught:
        parse_recipient(text)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", X25519_TEXT.lower(), X25519_TEXT[:-1], HYBRID_TEXT[:-1], HYBRID_TEXT.replace("PQ-", ""), X25519_RECIPIENT],
)
def test_what_is_no_identity_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(Usage, match="malformed age identity") as caught:
        parse_identity(text)
    assert not text or text not in str(caught.value)
