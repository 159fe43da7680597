"""Choice: which deployment of a repository, and which of its backups, a recovery or a drill takes."""

from dataclasses import dataclass

from domain.errors import Corrupt, NotFound, Refused
from infra.backup.repository import Repository, Stored


@dataclass(frozen=True, slots=True)
class Candidate:
    """A deployment in a repository; `newest` is None if its newest manifest is damaged, and `damage` says how."""

    deployment: str
    newest: Stored | None
    damage: str = ""

    def line(self) -> str:
        """Return one line for an operator."""
        if self.newest is None:
            return f"{self.deployment}  damaged: {self.damage}"
        found = self.newest.manifest
        ancestor = f", {found.ancestor.line()}" if found.ancestor else ""
        return f"{self.deployment}  newest backup {found.created_at} up to position {found.last}{ancestor}"


def candidates(repository: Repository) -> list[Candidate]:
    """Return every deployment of a repository with its newest backup."""
    found = []
    for deployment in repository.deployments():
        try:
            found.append(Candidate(deployment, repository.newest(deployment)))
        except Corrupt as error:
            found.append(Candidate(deployment, None, str(error)))
    return found


def choose(repository: Repository, deployment: str | None, *, accept_damage: bool = False) -> Stored:
    """Return the newest backup of the deployment, or of the only one there is.

    Refused, listing them with the words to type, if there are several.
    """
    names = repository.deployments()
    if not names:
        raise NotFound(f"{repository.store.location} holds no backup")
    if deployment is None and len(names) > 1:
        listed = "\n".join(f"  --deployment {candidate.line()}" for candidate in candidates(repository))
        raise Refused(
            f"{repository.store.location} holds {len(names)} deployments, name one:\n{listed}", rule="deployment-named"
        )
    chosen = deployment or names[0]
    if chosen not in names:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {chosen}: it has {', '.join(names)}")
    return newest_good(repository, chosen, accept_damage=accept_damage)


def newest_good(repository: Repository, deployment: str, *, accept_damage: bool = False) -> Stored:
    """Return the newest backup, after a look at the whole chain.

    A damaged chain is never passed over in silence: Corrupt names the newest intact backup and how to get it, and
    `accept_damage` says that the operator wants that.
    """
    newest: Stored | None = None
    try:
        for stored in repository.chain(deployment):
            newest = stored
    except Corrupt as error:
        newest = repository.newest_intact(deployment)
        if newest is None:
            raise
        if not accept_damage:
            of = newest.manifest
            raise Corrupt(
                f"{error}; manifest {of.sequence}, up to position {of.last}, is intact: --accept-damage takes it"
            ) from error
    if newest is None:
        raise NotFound(f"{repository.store.location} holds no backup of deployment {deployment}")
    return newest
