"""Signing with the internal roots: new roots, certificates and revocation lists, by the profile of RFC 5280."""

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from domain.certificate_authority import (
    ROOT_KEY_PURPOSE,
    CertificateAuthority,
    CreateCertificateAuthority,
    RootCertificateFields,
    issuing_root,
)
from domain.errors import Usage
from domain.instant import from_datetime, to_datetime
from domain.issued_certificate import IssueCertificate, IssuedCertificateFacts, serial_number
from domain.resource import World
from domain.revocation_list import (
    PublishRevocationList,
    RevocationListFacts,
    RevokedCertificate,
    next_crl_number,
    publishing_root,
    revoked_certificates,
)
from infra.control_plane.x509 import key
from infra.control_plane.x509.certificate import (
    KEY_PURPOSES,
    KEY_USAGES,
    alternative_names,
    certificate_fields,
    load_certificate,
)
from infra.control_plane.x509.preparation import OpenSealed, Preparation


def prepare_root(
    command: CreateCertificateAuthority, world: World, now: str, open_sealed: OpenSealed, fresh_id: str
) -> Preparation:
    """Make a root: a self-signed certificate that may sign leaves and no other authority, and its key."""
    private_key = key.generate(command.key_type)
    identifier = x509.SubjectKeyIdentifier.from_public_key(private_key.public_key())
    subject = _name(command.subject)
    certificate = (
        _builder(subject, subject, private_key.public_key(), fresh_id, now, command.validity_days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("keyCertSign", "cRLSign"), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(private_key, SHA384())
    )
    facts: RootCertificateFields = {
        **certificate_fields(certificate),
        "subjectKeyIdentifier": identifier.digest.hex(),
    }
    return Preparation(dict(facts), {"private_key": key.to_pkcs8(private_key)})


def prepare_certificate(
    command: IssueCertificate, world: World, now: str, open_sealed: OpenSealed, fresh_id: str
) -> Preparation:
    """Sign a certificate with the root that issues now, for the given public key or for that of a new key."""
    root = issuing_root(world, command.root)
    if command.public_key is None:
        private_key = key.generate("EC-P384")
        public_key, secrets = private_key.public_key(), {"private_key": key.to_pkcs8(private_key)}
    else:
        public_key, secrets = key.load_public_key(command.public_key), {}
    subject = _name(command.subject)
    builder = (
        _builder(subject, _root_name(root), public_key, fresh_id, now, command.validity_days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_leaf_key_usage(public_key), critical=True)
        .add_extension(x509.ExtendedKeyUsage([KEY_PURPOSES[p] for p in command.extended_key_usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_key_identifier(root), critical=False)
    )
    if command.subject_alternative_names:
        builder = builder.add_extension(_alternative_names(command.subject_alternative_names), critical=False)
    certificate = builder.sign(_root_key(root, open_sealed), SHA384())
    facts: IssuedCertificateFacts = {
        **certificate_fields(certificate),
        "authorityKeyIdentifier": root["subjectKeyIdentifier"],
        "subjectAlternativeNames": alternative_names(certificate),
        "extendedKeyUsage": list(command.extended_key_usage),
    }
    return Preparation(dict(facts), secrets)


def prepare_revocation_list(
    command: PublishRevocationList, world: World, now: str, open_sealed: OpenSealed, fresh_id: str
) -> Preparation:
    """Sign a list of what is revoked now, under the next number."""
    root = publishing_root(world, command.root)
    number = next_crl_number(world, root["id"])
    revoked = revoked_certificates(world, root["id"])
    begin = _whole_second(now)
    end = begin + timedelta(days=command.validity_days)
    builder = x509.CertificateRevocationListBuilder(
        _root_name(root), begin, end, revoked_certificates=[_revoked(certificate) for certificate in revoked]
    )
    signed = (
        builder.add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(_authority_key_identifier(root), critical=False)
        .sign(_root_key(root, open_sealed), SHA384())
    )
    facts = RevocationListFacts(
        certificateRevocationList=base64.b64encode(signed.public_bytes(Encoding.DER)).decode("ascii"),
        thisUpdate=from_datetime(begin),
        nextUpdate=from_datetime(end),
        crlNumber=number,
        authorityKeyIdentifier=root["subjectKeyIdentifier"],
        revokedSerialNumbers=[certificate["serialNumber"] for certificate in revoked],
    )
    return Preparation(dict(facts), {})


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: key.PublicKey, fresh_id: str, now: str, days: int
) -> x509.CertificateBuilder:
    begin = _whole_second(now)
    return x509.CertificateBuilder(
        issuer, subject, public_key, serial_number(fresh_id), begin, begin + timedelta(days=days)
    )


def _whole_second(instant: str) -> datetime:
    """Return the instant as X.509 can say it."""
    return to_datetime(instant).replace(microsecond=0)


def _name(text: str) -> x509.Name:
    try:
        return x509.Name.from_rfc4514_string(text)
    except ValueError as error:
        advice = str(error) or "write it like CN=Region root,O=Example"
        raise Usage(f"subject {text!r} is no name of RFC 4514: {advice}") from error


def _alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*usages: str) -> x509.KeyUsage:
    flags = {attribute: name in usages for name, attribute in KEY_USAGES.items()}
    return x509.KeyUsage(**flags, encipher_only=False, decipher_only=False)


def _leaf_key_usage(public_key: key.PublicKey) -> x509.KeyUsage:
    """Elliptic curve keys do not encipher keys (RFC 8422, 5.3)."""
    if isinstance(public_key, rsa.RSAPublicKey):
        return _key_usage("digitalSignature", "keyEncipherment")
    return _key_usage("digitalSignature")


def _root_name(root: CertificateAuthority) -> x509.Name:
    return load_certificate(root["certificate"].encode()).subject


def _root_key(root: CertificateAuthority, open_sealed: OpenSealed) -> key.PrivateKey:
    return key.from_pkcs8(open_sealed(root["privateKey"], ROOT_KEY_PURPOSE, root["id"]))


def _authority_key_identifier(root: CertificateAuthority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier(bytes.fromhex(root["subjectKeyIdentifier"]), None, None)


def _revoked(certificate: RevokedCertificate) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder(
        int(certificate["serialNumber"], 16), _whole_second(certificate["revokedOn"])
    )
    if certificate["revocationReason"] != "unspecified":  # which is said by saying nothing (RFC 5280, 5.3.1)
        reason = x509.CRLReason(x509.ReasonFlags(certificate["revocationReason"]))
        builder = builder.add_extension(reason, critical=False)
    return builder.build()
