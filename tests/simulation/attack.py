"""What somebody with the rights of a writer puts into a repository: nothing of it may be taken for a backup."""

import os
from hashlib import sha256
from random import Random

from domain.errors import Corrupt
from infra.backup import layout, manifest
from infra.backup.signed_document import SIGNATURE_LABEL
from tests.forgery import re_signed, stranger
from tests.simulation.place import Place
from tests.simulation.site import Site


def attack(place: Place, chance: Random, site: Site) -> str:
    """Put one object, and say which."""
    how = chance.choice(sorted(ATTACKS))
    name, data = ATTACKS[how](place, chance, site)
    if name in place.objects:
        return f"{how}: the name is taken"
    place.objects[name] = data
    return f"{how}: {name}"


def _manifests(place: Place, site: Site) -> list[str]:
    return sorted(name for name in place.objects if name.startswith(layout.manifests(site.deployment)))


def _next(place: Place, site: Site, ahead: int = 1) -> str:
    numbers = [layout.manifest_sequence(name) or 0 for name in _manifests(place, site)]
    return layout.manifest(site.deployment, max(numbers, default=0) + ahead)


def _garbage(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    return _next(place, site, chance.choice((1, 1, 2, 7, 1_000))), os.urandom(chance.randrange(300))


def _replayed(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    manifests = _manifests(place, site)
    data = place.objects[chance.choice(manifests)] if manifests else b""
    return _next(place, site), data


def _unsigned(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    """The newest manifest with another number and its old signature."""
    manifests = _manifests(place, site)
    data = place.objects[manifests[-1]] if manifests else b"{}\n"
    number = layout.manifest_sequence(_next(place, site)) or 0
    return _next(place, site), data.replace(b'"sequence":%d' % (number - 1), b'"sequence":%d' % number)


def _signed_by_another(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    """What the newest manifest would be followed by, signed by a key of the attacker's."""
    name = _manifests(place, site)[-1:]
    try:
        [newest] = [manifest.parse(place.objects[one], one) for one in name]
    except (Corrupt, ValueError):
        return _garbage(place, chance, site)
    update = {"sequence": newest.sequence + 1, "previous": sha256(place.objects[newest.name]).hexdigest(), "void": ()}
    signer = stranger(site.deployment)
    forged = re_signed(newest, signer).model_copy(update=update)
    return forged.name, manifest.sign(forged, signer)


def _segment(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    data = os.urandom(100)
    last = site.past[-1].position
    return layout.segment(site.deployment, 1, last, sha256(data).hexdigest()), data


def _segment_of_another_name(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    return layout.segment(site.deployment, 1, site.past[-1].position, os.urandom(32).hex()), b"garbage"


def _attestation(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    data = b"{}\n" + SIGNATURE_LABEL + b"AAAA\n"
    number = chance.choice(list(site.reported) or [1])
    return layout.attestation(site.deployment, number, sha256(data).hexdigest()), data


def _statement(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    return layout.prune(site.deployment, chance.choice((1, 2, 3, 10**6))), b"{}\n" + SIGNATURE_LABEL + b"AAAA\n"


def _foreign_name(place: Place, chance: Random, site: Site) -> tuple[str, bytes]:
    return f"{site.deployment}/{chance.choice(('segments/readme.txt', 'lock', 'manifests/newest.json'))}", b"garbage"


ATTACKS = {
    "garbage at a manifest's name": _garbage,
    "an old manifest replayed": _replayed,
    "a manifest without a signature of its own": _unsigned,
    "a manifest that another one signed": _signed_by_another,
    "a segment that nobody wrote": _segment,
    "a segment that is not what its name says": _segment_of_another_name,
    "a forged attestation": _attestation,
    "a forged prune statement": _statement,
    "a name that no backup gives": _foreign_name,
}
