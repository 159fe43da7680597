"""Identity and federation: users, groups, applications and their credentials, and where others log in from."""

from scripts.benchmark.cloud.installation import DOMAIN, GRAPH, Installation
from scripts.benchmark.cloud.scribe import Resource, Scribe

APPLICATIONS = "/providers/Microsoft.Graph/applications"
FEDERATION = "/providers/Resurgam.Federation"
MEMBERS_MAX = 50
OFFICES = ("Berlin", "Lisbon", "Oslo", "Quito", "Nairobi", "Osaka", "Perth", "Tampere")


class Identity:
    """Principals come and go, and are renamed, disabled, enabled and put into groups."""

    def __init__(self, scribe: Scribe, installation: Installation) -> None:
        self._scribe = scribe
        self.users = [installation.operator]
        self.groups: list[Resource] = []
        self.service_principals: list[Resource] = []
        self._applications: list[Resource] = []
        self._credentials: list[Resource] = []
        self._members: list[Resource] = []
        self._former_members: list[Resource] = []
        self._begin_federation()
        for _ in range(8):
            self.create_user()
            self.create_group()
            self.create_application()
            self.add_member()
        self.actions = (
            (12, self.create_user), (130, self.change_user), (110, self.switch_user), (8, self.set_password),
            (1, self.delete_user), (3, self.create_group), (15, self.change_group), (16, self.add_member),
            (7, self.remove_member), (6, self.add_former_member), (3, self.create_application),
            (15, self.switch_service_principal), (3, self.add_secret), (1, self.remove_secret),
            (1, self.add_certificate), (5, self.change_trust), (0.5, self.replace_certificates),
            (3, self.change_directory), (2, self.set_directory_credential),
        )  # fmt: skip

    def create_user(self) -> None:
        """Create a user with a password, or every other time one who logs in through a trust."""
        scribe = self._scribe
        user = Resource("", scribe.guid(), f"user-{len(self.users)}-{scribe.position}")
        user.id = f"{GRAPH}/{user.guid}"
        if scribe.random.random() < 0.5:
            login = f'"password":{scribe.seal(user, "password-hash", 97)},'
            trust = ""
        else:
            login, trust = "", f'"claimsProviderTrust":"{scribe.any(self._trusts).name}",'
        payload = (
            f'{{"accountEnabled":true,{trust}"displayName":"{user.name}","objectId":"{user.guid}",{login}'
            f'"userPrincipalName":"{user.name}@{DOMAIN}"}}'
        )
        scribe.write("CreateUser", ("user.created", user, payload))
        self.users.append(user)

    def change_user(self) -> None:
        """Move a user to another office or telephone."""
        scribe = self._scribe
        user = scribe.pick(self.users)
        office = OFFICES[scribe.position % len(OFFICES)]
        if scribe.position % 3:
            payload = f'{{"mail":"{user.name}.{scribe.random.getrandbits(40):x}@{office}.{DOMAIN}"}}'
        else:
            payload = f'{{"displayName":"{user.name} ({office} {scribe.random.getrandbits(32)})"}}'
        scribe.write("UpdateUser", ("user.changed", user, payload))

    def switch_user(self) -> None:
        """Disable a user, or enable one again."""
        self._switch(self._scribe.pick(self.users), "User", "user")

    def set_password(self) -> None:
        """Replace a password, and so destroy the one before."""
        user = self._scribe.pick(self.users)
        if user.key:
            self._scribe.shred(user)
            sealed = self._scribe.seal(user, "password-hash", 97)
            self._scribe.write("SetPassword", ("user.password-set", user, f'{{"password":{sealed}}}'))

    def delete_user(self) -> None:
        """Delete a user other than the first operator."""
        if len(self.users) > 1:
            user = self.users.pop()
            self._scribe.shred(user)
            self._scribe.write("DeleteUser", ("user.deleted", user, "{}"))

    def create_group(self) -> None:
        """Create a group."""
        group = Resource("", self._scribe.guid(), f"group-{len(self.groups)}")
        group.id = f"{GRAPH}/{group.guid}"
        payload = f'{{"description":"Members of {group.name}","displayName":"{group.name}","objectId":"{group.guid}"}}'
        self._scribe.write("CreateGroup", ("group.created", group, payload))
        self.groups.append(group)

    def change_group(self) -> None:
        """Describe a group anew."""
        group = self._scribe.pick(self.groups)
        payload = f'{{"description":"See page {self._scribe.position} of the service catalogue"}}'
        self._scribe.write("UpdateGroup", ("group.changed", group, payload))

    def add_member(self) -> None:
        """Put a user into a group, a new one if that group is full or the user was in it before."""
        group, user = self._scribe.pick(self.groups), self._scribe.any(self.users)
        if len(group.parts) >= MEMBERS_MAX or any(member.guid == user.guid for member in group.parts):
            self.create_group()
            group = self.groups[-1]
        member = Resource(f"{GRAPH}/{group.guid}/members/{user.guid}", user.guid, parent=group)
        group.parts.append(member)
        self._write_member(member)

    def remove_member(self) -> None:
        """Take a member out of its group."""
        member = self._scribe.take(self._members)
        self._scribe.write("RemoveGroupMember", ("group-membership.deleted", member, "{}"))
        self._former_members.append(member)

    def add_former_member(self) -> None:
        """Put a former member back: the membership's sequence goes on."""
        if self._former_members:
            self._write_member(self._scribe.take(self._former_members))

    def create_application(self) -> None:
        """Create an application and, by a command of its own, its service principal."""
        scribe = self._scribe
        application = Resource("", scribe.guid(), f"automation-{len(self._applications)}")
        application.id = f"{APPLICATIONS}/{application.guid}"
        named = f'"appId":"{application.guid}","displayName":"{application.name}"'
        scribe.write("CreateApplication", ("application.created", application, f"{{{named}}}"))
        principal = Resource("", scribe.guid(), application.name)
        principal.id = f"{GRAPH}/{principal.guid}"
        payload = f'{{"accountEnabled":true,{named},"objectId":"{principal.guid}"}}'
        scribe.write("CreateServicePrincipal", ("service-principal.created", principal, payload))
        self._applications.append(application)
        self.service_principals.append(principal)

    def switch_service_principal(self) -> None:
        """Disable a service principal, or enable one again."""
        self._switch(self._scribe.pick(self.service_principals), "ServicePrincipal", "service-principal")

    def add_secret(self) -> None:
        """Give an application a client secret."""
        scribe = self._scribe
        application, guid = scribe.any(self._applications), scribe.guid()
        credential = Resource(f"{application.id}/passwordCredentials/{guid}", guid)
        payload = (
            f'{{"appId":"{application.guid}","displayName":"pipeline","endDateTime":"2036-01-01T00:00:00.000000Z",'
            f'"keyId":"{guid}","secret":{scribe.seal(credential, "client-secret-hash", 97)},'
            f'"startDateTime":"{scribe.instant}"}}'
        )
        scribe.write("AddPasswordCredential", ("password-credential.created", credential, payload))
        self._credentials.append(credential)

    def remove_secret(self) -> None:
        """Take a client secret away, and so destroy it."""
        if self._credentials:
            credential = self._scribe.take(self._credentials)
            self._scribe.shred(credential)
            self._scribe.write("RemovePasswordCredential", ("password-credential.deleted", credential, "{}"))

    def add_certificate(self) -> None:
        """Let an application log in by a certificate."""
        scribe = self._scribe
        application, guid = scribe.any(self._applications), scribe.guid()
        certificate, rest = self._certificate(application.name)[1:-1].split(",", 1)
        payload = (
            f'{{"appId":"{application.guid}",{certificate},"keyId":"{guid}",{rest},'
            '"type":"AsymmetricX509Cert","usage":"Verify"}'
        )
        credential = Resource(f"{application.id}/keyCredentials/{guid}", guid)
        scribe.write("AddKeyCredential", ("key-credential.created", credential, payload))

    def change_trust(self) -> None:
        """Let tokens of a trust live longer or shorter."""
        trust = self._scribe.any(self._trusts)
        payload = f'{{"tokenLifetimeMinutes":{30 + self._scribe.position % 450}}}'
        self._scribe.write("UpdateClaimsProviderTrust", ("claims-provider-trust.changed", trust, payload))

    def replace_certificates(self) -> None:
        """Replace what a trust signs with."""
        trust = self._scribe.any(self._trusts)
        payload = f'{{"certificates":[{self._certificate(trust.name)}]}}'
        happening = ("claims-provider-trust.certificates-replaced", trust, payload)
        self._scribe.write("ReplaceClaimsProviderTrustCertificates", happening)

    def change_directory(self) -> None:
        """Point to another global catalogue."""
        payload = f'{{"globalCatalog":"catalogue-{self._scribe.position}.{DOMAIN}"}}'
        self._scribe.write("UpdateDirectoryService", ("directory-service.changed", self._directory, payload))

    def set_directory_credential(self) -> None:
        """Replace the password with which the directory is read."""
        self._scribe.shred(self._directory)
        sealed = self._scribe.seal(self._directory, "secret-value", 30)
        payload = f'{{"password":{sealed},"username":"graphservice"}}'
        happening = ("directory-service.credential-set", self._directory, payload)
        self._scribe.write("SetDirectoryServiceCredential", happening)

    def _begin_federation(self) -> None:
        scribe = self._scribe
        self._trusts = [
            Resource(f"{FEDERATION}/claimsProviderTrusts/{name}", name=name) for name in ("head-office", "partner")
        ]
        for trust in self._trusts:
            payload = (
                f'{{"certificates":[{self._certificate(trust.name)}],"claimRules":"=> issue(claim = c);",'
                f'"metadataUrl":"https://adfs.{trust.name}.example/metadata.xml","name":"{trust.name}",'
                '"tokenLifetimeMinutes":60}'
            )
            scribe.write("CreateClaimsProviderTrust", ("claims-provider-trust.created", trust, payload))
        self._directory = Resource(f"{FEDERATION}/directoryServices/forest", name="forest")
        sealed = scribe.seal(self._directory, "secret-value", 30)
        payload = (
            f'{{"globalCatalog":"forest.{DOMAIN}","name":"forest","password":{sealed},'
            '"ports":[389,636,3268,3269],"username":"graphservice"}'
        )
        scribe.write("RegisterDirectoryService", ("directory-service.created", self._directory, payload))

    def _certificate(self, subject: str) -> str:
        thumbprint = self._scribe.random.randbytes(20).hex().upper()
        return (
            f'{{"certificate":"{self._scribe.base64(320)}","notAfter":"2040-01-01T00:00:00.000000Z",'
            f'"notBefore":"2025-01-01T00:00:00.000000Z","subject":"CN={subject}","thumbprint":"{thumbprint}"}}'
        )

    def _switch(self, principal: Resource, command: str, kind: str) -> None:
        principal.is_on = not principal.is_on
        verb, past = ("Enable", "enabled") if principal.is_on else ("Disable", "disabled")
        self._scribe.write(f"{verb}{command}", (f"{kind}.{past}", principal, "{}"))

    def _write_member(self, member: Resource) -> None:
        assert member.parent is not None
        payload = f'{{"groupId":"{member.parent.guid}","memberId":"{member.guid}"}}'
        self._scribe.write("AddGroupMember", ("group-membership.created", member, payload))
        self._members.append(member)
