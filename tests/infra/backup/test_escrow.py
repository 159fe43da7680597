"""Escrow: shares join to the identity, too few or wrong ones are told apart, and SLIP-39 itself is the judge."""

from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic.wordlist import WORDLIST

from domain.errors import Corrupt, Refused, Usage
from infra.backup import escrow
from infra.backup.age import HybridIdentity, NativeIdentity, X25519Identity, fingerprint, generate_identity
from infra.backup.escrow import Share
from tests.infra.backup import slip39_by_npm

IDENTITY = generate_identity()
each_kind = pytest.mark.parametrize(
    "identity", [IDENTITY, generate_identity(post_quantum=False)], ids=["post-quantum", "classical"]
)


def shares_of(identity: NativeIdentity = IDENTITY, threshold: int = 3, shares: int = 5) -> list[Share]:
    """The shares as their files would be read again."""
    texts = [
        escrow.shown(words, number=number, shares=shares, threshold=threshold, of=identity)
        for number, words in enumerate(escrow.split(identity, threshold, shares), 1)
    ]
    return [escrow.parse(text, f"share-{number}.txt") for number, text in enumerate(texts, 1)]


@each_kind
def test_any_shares_that_are_enough_join_the_identity_and_fewer_do_not(identity: NativeIdentity) -> None:
    shares = shares_of(identity)
    assert [share.number for share in shares] == [1, 2, 3, 4, 5]
    for count in range(1, 6):
        for taken in combinations(shares, count):
            if count >= 3:
                assert escrow.join(taken) == identity
            else:
                with pytest.raises(Refused, match=f"find {3 - count} more") as refusal:
                    escrow.join(taken)
                assert refusal.value.rule == "enough-shares"


def test_the_order_of_shares_does_not_matter() -> None:
    for taken in permutations(shares_of()[1:4]):
        assert escrow.join(taken) == IDENTITY


@pytest.mark.parametrize(("threshold", "shares"), [(2, 2), (2, 16), (16, 16), (3, 4)])
def test_every_permitted_number_of_shares_works(threshold: int, shares: int) -> None:
    assert escrow.join(shares_of(threshold=threshold, shares=shares)[-threshold:]) == IDENTITY


@pytest.mark.parametrize(("threshold", "shares"), [(1, 1), (1, 3), (0, 3), (4, 3), (2, 17), (-1, 2)])
def test_other_numbers_are_refused(threshold: int, shares: int) -> None:
    with pytest.raises(Usage, match="threshold"):
        escrow.split(IDENTITY, threshold, shares)


@given(seed=st.binary(min_size=32, max_size=32), is_post_quantum=st.booleans())
def test_every_identity_comes_back(seed: bytes, is_post_quantum: bool) -> None:
    identity = HybridIdentity(seed) if is_post_quantum else X25519Identity(seed)
    words = escrow.split(identity, 2, 3)
    assert escrow.join([escrow.parse(one, "share") for one in words[1:]]) == identity


@each_kind
def test_another_program_for_slip_39_joins_them_to_what_the_reference_says(identity: NativeIdentity) -> None:
    shares = shares_of(identity)
    kind = 1 if isinstance(identity, HybridIdentity) else 2
    for taken in ([0, 1, 2], [4, 2, 3]):
        joined = slip39_by_npm.recovered([shares[at].words for at in taken])
        assert joined == bytes([1, kind]) + identity.seed


def test_the_library_agrees_with_the_vectors_of_slip_39() -> None:
    vectors = slip39_by_npm.vectors()
    assert len(vectors) > 40
    for title, shares, secret in vectors:
        if secret:
            assert combine_mnemonics(shares, b"TREZOR").hex() == secret, title
        else:
            with pytest.raises(MnemonicError):
                combine_mnemonics(shares, b"TREZOR")


def test_the_vectors_of_others_are_no_identities() -> None:
    for _, shares, _ in slip39_by_npm.vectors():
        with pytest.raises((Usage, Refused, Corrupt)):
            escrow.join([escrow.parse(text, "share") for text in shares])


def test_a_wrong_word_is_named_by_its_place_and_never_shown() -> None:
    words = shares_of()[0].words.split()
    for place, word in enumerate(words):
        other = next(one for one in WORDLIST[place * 7 :] if one != word)
        for wrong in (other, "canary"):
            text = " ".join([*words[:place], wrong, *words[place + 1 :]])
            with pytest.raises(Usage, match=rf"share-1.txt: .*word {place + 1}\b") as error:
                escrow.parse(text, "share-1.txt")
            assert "canary" not in str(error.value)
            assert not any(f" {one} " in str(error.value) for one in words if len(one) > 5)


def test_two_wrong_words_swapped_words_and_a_missing_word_are_noticed() -> None:
    words = shares_of()[0].words.split()
    two = [words[0], WORDLIST[3], *words[2:20], WORDLIST[900], *words[21:]]
    swapped = [words[1], words[0], *words[2:]]
    for wrong in (two, swapped):
        if wrong != words:
            with pytest.raises(Usage, match="checksum"):
                escrow.parse(" ".join(wrong), "share")
    with pytest.raises(Usage, match="34 words"):
        escrow.parse(" ".join(words[1:]), "share")
    with pytest.raises(Usage, match="0 words"):
        escrow.parse("# nothing", "share")


def test_words_are_read_in_any_case_and_on_any_lines() -> None:
    [one, two, *_] = shares_of(threshold=2, shares=2)
    again = [escrow.parse(share.words.upper().replace(" ", "\r\n "), "share") for share in (one, two)]
    assert escrow.join(again) == IDENTITY


def test_shares_of_several_sets_are_refused() -> None:
    first, second = shares_of(), shares_of()
    assert first[0].set_id != second[0].set_id
    with pytest.raises(Refused) as refusal:
        escrow.join([*first[:2], second[2]])
    assert refusal.value.rule == "shares-of-one-set"


def test_the_same_share_twice_counts_once() -> None:
    shares = shares_of()
    with pytest.raises(Refused, match="here are 2"):
        escrow.join([shares[0], shares[1], shares[0]])
    assert escrow.join([*shares[:3], shares[0]]) == IDENTITY


def forged(number: int, like: Share) -> Share:
    """A share of another secret with the set, the number and the threshold of this one."""
    from shamir_mnemonic import Share as Slip39Share

    found = Slip39Share.from_mnemonic(like.words)
    made = Slip39Share(found.identifier, True, 0, 0, 1, 1, number - 1, found.member_threshold, b"x" * 34)
    return escrow.parse(made.mnemonic(), f"forged-{number}.txt")


def test_a_forged_share_joins_to_nothing_wherever_it_stands() -> None:
    shares = shares_of()
    for taken in ([*shares[:2], forged(3, shares[0])], [*shares[:3], forged(4, shares[0])]):
        with pytest.raises(Corrupt, match="forged"):
            escrow.join(taken)
    with pytest.raises(Corrupt, match="both number 1"):
        escrow.join([*shares[:3], forged(1, shares[0])])


def test_a_file_that_names_another_identity_is_refused() -> None:
    texts = [
        escrow.shown(words, number=number, shares=2, threshold=2, of=generate_identity())
        for number, words in enumerate(escrow.split(IDENTITY, 2, 2), 1)
    ]
    with pytest.raises(Corrupt, match=fingerprint(IDENTITY.recipient)):
        escrow.join([escrow.parse(text, "share") for text in texts])


def test_what_joins_to_no_identity_is_refused() -> None:
    for secret in (bytes([1, 3]) + bytes(32), bytes([2, 1]) + bytes(32)):
        [words] = generate_mnemonics(1, [(2, 2)], secret, iteration_exponent=0)
        with pytest.raises(Corrupt, match="no identity"):
            escrow.join([escrow.parse(one, "share") for one in words])


def test_a_share_shows_nothing_by_accident() -> None:
    share = shares_of()[0]
    assert share.words not in repr(share)
