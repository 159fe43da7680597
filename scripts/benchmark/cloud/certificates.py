"""Certificates: the internal authority, what it issues and revokes, and the certificates of endpoints."""

from scripts.benchmark.cloud.installation import DOMAIN
from scripts.benchmark.cloud.scribe import Resource, Scribe

CERTIFICATES = "/providers/Resurgam.Certificates"
ENDPOINTS = ("portal", "adminportal", "management", "vault", "adfs", "graph")
VALIDITY = '"notAfter":"2028-01-01T00:00:00.000000Z","notBefore":"2026-01-01T00:00:00.000000Z"'


class Certificates:
    """One root certificate issues everything; endpoints get certificates from outside."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe
        self._issued: list[Resource] = []
        self._endpoints = [Resource(f"{CERTIFICATES}/endpointCertificates/{name}", name=name) for name in ENDPOINTS]
        self._root = Resource(f"{CERTIFICATES}/roots/root-1", name="root-1")
        self._key_identifier = scribe.random.randbytes(20).hex()
        self._list = Resource(f"{self._root.id}/crl")
        self._create_root()
        for endpoint in self._endpoints:
            self._import(endpoint)
        self.issue()
        self.publish()
        self.actions = ((3, self.issue), (0.3, self.revoke), (0.7, self.publish), (0.3, self.renew))

    def issue(self) -> None:
        """Issue a certificate with its private key."""
        scribe = self._scribe
        serial = scribe.random.randbytes(20).hex()
        issued = Resource(f"{self._root.id}/certificates/{serial}", serial)
        name = f"fabric-{len(self._issued)}.{DOMAIN}"
        payload = (
            f'{{"authorityKeyIdentifier":"{self._key_identifier}","certificate":"{self._pem()}",'
            f'"extendedKeyUsage":["serverAuth","clientAuth"],"issuer":"{self._root.id}",{VALIDITY},'
            f'"privateKey":{scribe.seal(issued, "private-key", 138)},"serialNumber":"{serial}","subject":"CN={name}",'
            f'"subjectAlternativeNames":["{name}"],"thumbprint":"{self._thumbprint()}"}}'
        )
        scribe.write("IssueCertificate", ("issued-certificate.created", issued, payload))
        self._issued.append(issued)

    def revoke(self) -> None:
        """Revoke a certificate."""
        if self._issued:
            payload = f'{{"revocationReason":"superseded","revokedOn":"{self._scribe.instant}"}}'
            issued = self._scribe.take(self._issued)
            self._scribe.write("RevokeCertificate", ("issued-certificate.revoked", issued, payload))

    def publish(self) -> None:
        """Publish the revocation list again."""
        scribe = self._scribe
        payload = (
            f'{{"certificateRevocationList":"{scribe.base64(252)}","crlNumber":{self._list.sequence + 1},'
            f'"issuer":"{self._root.id}","nextUpdate":"{scribe.instant}","thisUpdate":"{scribe.instant}"}}'
        )
        scribe.write("PublishRevocationList", ("revocation-list.published", self._list, payload))

    def renew(self) -> None:
        """Import a new certificate of an endpoint; the key of the one before is destroyed."""
        endpoint = self._scribe.any(self._endpoints)
        self._scribe.shred(endpoint)
        self._import(endpoint)

    def _create_root(self) -> None:
        sealed = self._scribe.seal(self._root, "private-key", 185)
        payload = (
            f'{{"certificate":"{self._pem()}","keyType":"EC-P384",{VALIDITY},"privateKey":{sealed},'
            f'"serialNumber":"{self._thumbprint()}","state":"Active","subject":"CN=Root 1",'
            f'"subjectKeyIdentifier":"{self._key_identifier}","thumbprint":"{self._thumbprint()}"}}'
        )
        self._scribe.write("CreateCertificateAuthority", ("ca-root.created", self._root, payload))

    def _import(self, endpoint: Resource) -> None:
        scribe = self._scribe
        payload = (
            f'{{"chain":["{self._pem()}","{self._pem()}"],"endpoint":"{endpoint.name}",'
            f'"issuer":"CN=Sample external authority",{VALIDITY},'
            f'"privateKey":{scribe.seal(endpoint, "private-key", 138)},"serialNumber":"{self._thumbprint()}",'
            f'"subject":"CN={endpoint.name}.{DOMAIN}","subjectAlternativeNames":["{endpoint.name}.{DOMAIN}"],'
            f'"thumbprint":"{self._thumbprint()}"}}'
        )
        scribe.write("ImportEndpointCertificate", ("endpoint-certificate.imported", endpoint, payload))

    def _thumbprint(self) -> str:
        return self._scribe.random.randbytes(20).hex()

    def _pem(self) -> str:
        text = self._scribe.base64(420)
        lines = "\\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        return f"-----BEGIN CERTIFICATE-----\\n{lines}\\n-----END CERTIFICATE-----\\n"
