"""A deployment for tests: installed from inputs, with a cheap password and a root key that everybody knows."""

from typing import Any

from pydantic import SecretStr

from infra.canonical_json import encode
from infra.control_plane import clean_install
from infra.control_plane.clean_install import Installed
from infra.control_plane.plane import ControlPlane
from infra.control_plane.request import Request, parse
from infra.database.session import Database
from infra.keys.password import TEST_COST
from infra.keys.root_key import HeldRootKey
from infra.log.record import Actor

ROOT_KEY = HeldRootKey(bytes(range(32)))
ACTOR = Actor("os-user", host="host-1", os_user="operator")
OPERATOR_ID = "11111111-1111-4111-8111-111111111111"
PROVIDER = "22222222-2222-4222-8222-222222222222"
PASSWORD = "correct horse battery staple"

INPUTS: dict[str, Any] = {
    "region": "east",
    "externalDomainName": "cloud.example",
    "networks": {
        "publicVip": "203.0.113.0/24",
        "switchInfrastructure": "198.51.100.0/26",
        "infrastructure": "10.0.1.0/24",
        "bmc": "10.0.2.0/26",
        "switchManagement": "10.0.3.0/29",
    },
    "timeServer": "10.0.2.10",
    "identityStore": "ADFS",
    "nodes": [{"name": "node-1"}],
    "operator": {
        "userPrincipalName": "operator-1@region.example",
        "displayName": "Operator 1",
        "objectId": OPERATOR_ID,
    },
    "providerSubscription": {"subscriptionId": PROVIDER, "tenantId": "33333333-3333-4333-8333-333333333333"},
}


def install(database: Database, inputs: dict[str, Any] = INPUTS, recipients: dict[str, str] | None = None) -> Installed:
    """Install a deployment into an empty store."""
    parsed = clean_install.parse_inputs(inputs)
    added = [clean_install.backup_recipient(name, recipient) for name, recipient in (recipients or {}).items()]
    return clean_install.install(database, ROOT_KEY, parsed, SecretStr(PASSWORD), added, ACTOR, cost=TEST_COST)


def installed_plane(database: Database) -> ControlPlane:
    """Install a deployment and open it."""
    install(database)
    return ControlPlane(database, ROOT_KEY, cost=TEST_COST)


def request(command: str, command_id: str | None = None, **arguments: Any) -> Request:
    """Return the request of a line that names the command and its arguments."""
    line: dict[str, Any] = {"command": command, "arguments": arguments}
    return parse(encode(line if command_id is None else {**line, "commandId": command_id}))


def user_request(number: int, command_id: str | None = None, **arguments: Any) -> Request:
    """Return the request that creates the user of that number."""
    return request(
        "CreateUser",
        command_id,
        **{
            "objectId": user_id(number),
            "userPrincipalName": f"user-{number}@region.example",
            "displayName": f"User {number}",
            "password": PASSWORD,
            **arguments,
        },
    )


def user_id(number: int) -> str:
    """Return the object id of the user of that number."""
    return f"44444444-4444-4444-8444-{number:012d}"
