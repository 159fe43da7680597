"""Clean install: one transaction from an empty store to a deployment that its operator can use, or nothing."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from domain.built_in_role import BUILT_IN_ROLES
from domain.errors import Refused, Usage
from domain.tenancy import subscription_id
from infra.backup import memory
from infra.backup.age import generate_identity
from infra.control_plane import clean_install, log_verification, store
from infra.control_plane.plane import ControlPlane
from infra.database.session import Database
from infra.database.url import open_database
from infra.log import head
from infra.log.head import EMPTY, OPEN
from projections import access
from tests.infra.control_plane.installation import INPUTS, OPERATOR_ID, PROVIDER, ROOT_KEY, install


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty database, on each engine in turn."""
    opened = open_database(store_url, create=True)
    yield opened
    opened.close()


def changed(**fields: Any) -> dict[str, Any]:
    return {**deepcopy(INPUTS), **fields}


def test_a_deployment_is_installed_with_roles_operator_and_provider_subscription(database: Database) -> None:
    recipient = str(generate_identity().recipient)
    installed = install(database, recipients={"safe": recipient})
    with ControlPlane(database, ROOT_KEY).read() as reading:
        counts = reading.state.counts()
        owner = access.check(reading.state, OPERATOR_ID, "Microsoft.Anything/write", "/")
        provider = reading.state.find(subscription_id(PROVIDER))
        signer = memory.get_signer(reading.session, ROOT_KEY)
    assert counts["role-definition"] == len(BUILT_IN_ROLES)
    assert counts["backup-recipient"] == 1
    assert owner.allowed
    assert provider is not None
    assert provider.state["routingResourceManagerType"] == "Admin"
    assert installed.head.mode == OPEN
    assert signer.verifier == installed.signer.verifier
    assert signer.verifier.name == f"resurgam/{installed.head.deployment}"
    assert log_verification.verify(database).head == installed.head


def test_a_refused_installation_leaves_the_store_empty(database: Database) -> None:
    networks = {**INPUTS["networks"], "infrastructure": "10.0.2.0/24"}
    with pytest.raises(Refused) as caught:
        install(database, changed(networks=networks))
    assert caught.value.rule == "networks-do-not-overlap"
    with database.read() as session:
        assert (head.read(session).position, head.read(session).mode) == (0, EMPTY)
    install(database)


def test_a_second_installation_is_refused_and_names_the_roads(database: Database) -> None:
    installed = install(database)
    with pytest.raises(Refused, match="name another store") as caught:
        install(database)
    assert caught.value.rule == "target-empty"
    with database.read() as session:
        assert head.read(session) == installed.head


@pytest.mark.parametrize(
    ("inputs", "field"),
    [
        (changed(region="not a label"), "region"),
        (changed(nodes=[{"name": "node-1", "rank": 1}]), "nodes.0.rank"),
        (changed(operator={"displayName": "Operator"}), "operator.userPrincipalName"),
        ({key: value for key, value in INPUTS.items() if key != "timeServer"}, "timeServer"),
        (["east"], "not a mapping"),
    ],
)
def test_malformed_inputs_name_the_field(inputs: object, field: str) -> None:
    with pytest.raises(Usage, match=field):
        clean_install.parse_inputs(inputs)


def test_a_recipient_that_cannot_be_sealed_to_is_refused_before_anything_is_made(database: Database) -> None:
    with pytest.raises(Usage):
        install(database, recipients={"safe": "age1" + "q" * 58})
    with database.read() as session:
        assert not session.has_table(store.TABLES[0])
