"""Escrow: an identity, split into shares of words for custodians by SLIP-39, and joined (docs/reference/escrow.md)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import xor

from shamir_mnemonic import MnemonicError, decode_mnemonics, generate_mnemonics, recover_ems
from shamir_mnemonic import Share as Slip39Share
from shamir_mnemonic.rs1024 import create_checksum
from shamir_mnemonic.wordlist import WORD_INDEX_MAP

from domain.errors import Corrupt, Refused, Usage
from infra.backup.age import HybridIdentity, NativeIdentity, X25519Identity, fingerprint

FORMAT = 1
POST_QUANTUM, CLASSICAL = 1, 2
SEED_BYTES = 32
SHARES_MAX = 16
WORDS = 35
WORDS_PER_LINE = 7
CUSTOMIZATION = b"shamir_extendable"
CHECKSUM_WORDS = 3
_FINGERPRINT = re.compile(r"^# fingerprint: ([0-9a-f]{16})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Share:
    """A share whose words are in order; `name` is what errors call it, `stated` the fingerprint that its file names."""

    name: str
    words: str = field(repr=False)
    number: int
    threshold: int
    set_id: int
    stated: str = ""


def split(identity: NativeIdentity, threshold: int, shares: int) -> list[str]:
    """Return the words of so many shares, any `threshold` of which join the identity; each was joined once to see."""
    if not 2 <= threshold <= shares <= SHARES_MAX:
        raise Usage(
            f"{threshold} of {shares} shares: the threshold is 2 or more, there are at least as many shares, and "
            f"{SHARES_MAX} at most"
        )
    kind = POST_QUANTUM if isinstance(identity, HybridIdentity) else CLASSICAL
    secret = bytes((FORMAT, kind)) + identity.seed
    # No passphrase: what would protect it had to be kept as well as the identity.
    mnemonics: list[str]
    [mnemonics] = generate_mnemonics(1, [(threshold, shares)], secret, extendable=True, iteration_exponent=0)
    parsed = [parse(words, f"share {number}") for number, words in enumerate(mnemonics, 1)]
    for first in range(shares):
        taken = [parsed[(first + offset) % shares] for offset in range(threshold)]
        if join(taken) != identity:
            raise Corrupt("the shares do not join to the identity: nothing was written, check this machine")
    return mnemonics


def shown(words: str, *, number: int, shares: int, threshold: int, of: NativeIdentity) -> str:
    """Return the text of a share's file."""
    kind = "post-quantum" if isinstance(of, HybridIdentity) else "classical"
    listed = words.split()
    lines = [" ".join(listed[at : at + WORDS_PER_LINE]) for at in range(0, len(listed), WORDS_PER_LINE)]
    return "\n".join(
        [
            f"# Share {number} of {shares} of an identity that opens backups; any {threshold} of them join it again:",
            "# resurgam key join, or any program for SLIP-39",
            f"# fingerprint: {fingerprint(of.recipient)} ({kind})",
            *lines,
            "",
        ]
    )


def parse(text: str, name: str) -> Share:
    """Return a share; Usage, naming which of its words is wrong as far as that can be told, never a word itself."""
    words = [word.lower() for line in text.splitlines() if not line.startswith("#") for word in line.split()]
    for number, word in enumerate(words, 1):
        if word not in WORD_INDEX_MAP:
            raise Usage(f"{name}: its word {number} is none of SLIP-39's words: read it again")
    if len(words) != WORDS:
        raise Usage(f"{name}: it has {len(words)} words, a share of an identity has {WORDS}")
    _check_words([WORD_INDEX_MAP[word] for word in words], name)
    try:
        found = Slip39Share.from_mnemonic(" ".join(words))
    except MnemonicError:  # its message holds words
        raise Usage(f"{name}: its words are no share of SLIP-39") from None
    if not found.extendable or found.group_count != 1 or found.member_threshold < 2:
        raise Usage(f"{name}: it is a share of SLIP-39, but of nothing that Resurgam split")
    stated = _FINGERPRINT.search(text)
    return Share(
        name,
        " ".join(words),
        found.index + 1,
        found.member_threshold,
        found.identifier,
        stated[1] if stated else "",
    )


def join(shares: Sequence[Share]) -> NativeIdentity:
    """Return the identity; Refused, saying what is missing, unless there are enough shares of one set.

    Corrupt if they do not fit together: more than are needed are all compared.
    """
    distinct = list(_of_one_set(shares).values())
    threshold = distinct[0].threshold
    if len(distinct) < threshold:
        numbers = ", ".join(str(share.number) for share in sorted(distinct, key=lambda share: share.number))
        raise Refused(
            f"{threshold} shares of this set join the identity, here are {len(distinct)} (number {numbers}): "
            f"find {threshold - len(distinct)} more with other numbers",
            rule="enough-shares",
        )
    needed, more = distinct[:threshold], distinct[threshold:]
    identity = _joined(needed)
    for other in more:
        if _joined([*needed[1:], other]) != identity:
            raise Corrupt(f"{other.name} does not fit to the others: it was changed")
    found = fingerprint(identity.recipient)
    for share in distinct:
        if share.stated and share.stated != found:
            raise Corrupt(f"{share.name} says that it is of the identity {share.stated}, the shares join to {found}")
    return identity


def _of_one_set(shares: Sequence[Share]) -> dict[int, Share]:
    """Return the shares by their numbers; Refused if they are of several sets."""
    found: dict[int, Share] = {}
    for share in shares:
        first = shares[0]
        if (share.set_id, share.threshold) != (first.set_id, first.threshold):
            raise Refused(
                f"{first.name} is of set {first.set_id}, {share.name} of set {share.set_id}: shares of several sets "
                "join to nothing, sort them",
                rule="shares-of-one-set",
            )
        same = found.setdefault(share.number, share)
        if same.words != share.words:
            raise Corrupt(f"{same.name} and {share.name} are both number {share.number}, but different")
    if not found:
        raise Usage("there is no share to join")
    return found


def _joined(shares: Sequence[Share]) -> NativeIdentity:
    try:
        secret = recover_ems(decode_mnemonics(share.words for share in shares)).decrypt(b"")
    except MnemonicError:  # its message may hold words
        names = ", ".join(share.name for share in shares)
        raise Corrupt(f"{names} do not fit together: one of them was changed") from None
    kind = secret[1:2]
    if len(secret) != 2 + SEED_BYTES or secret[0] != FORMAT or kind[0] not in (POST_QUANTUM, CLASSICAL):
        raise Corrupt("the shares join to something that is no identity, or was split by a later release")
    seed = secret[2:]
    return HybridIdentity(seed) if kind[0] == POST_QUANTUM else X25519Identity(seed)


def _check_words(indices: Sequence[int], name: str) -> None:
    """Raise Usage unless the checksum is right; if one wrong word explains it, and only that one, name its place."""
    wrong = _syndrome(indices)
    if not wrong:
        return
    places = [place for place in range(len(indices)) if wrong in _effects(indices, place)]
    where = f"if one word is wrong, it is word {places[0] + 1}" if len(places) == 1 else "more than one word is wrong"
    raise Usage(f"{name}: its checksum is wrong, {where}: read it again")


def _syndrome(indices: Sequence[int]) -> int:
    """Return in which bits the checksum is another than that of the words before it: 0 if it is right."""
    right = create_checksum(indices[:-CHECKSUM_WORDS], CUSTOMIZATION)
    given = indices[-CHECKSUM_WORDS:]
    return sum((a ^ b) << 10 * at for at, (a, b) in enumerate(zip(right, given, strict=True)))


def _effects(indices: Sequence[int], place: int) -> set[int]:
    """Return how any other word in a place changes the checksum, which is linear in the bits of the words."""
    before = _syndrome(indices)

    def changed(bit: int) -> int:
        other = list(indices)
        other[place] ^= 1 << bit
        return _syndrome(other) ^ before

    bits = [changed(bit) for bit in range(10)]
    return {reduce(xor, (bits[bit] for bit in range(10) if value >> bit & 1)) for value in range(1, 1024)}
