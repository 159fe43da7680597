"""A store in a container of Azure Blob Storage."""

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import AzureStore

from domain.errors import Usage
from infra.backup.stores import endpoint
from infra.backup.stores.objects import ObjectStore
from infra.backup.stores.patience import Patience

if TYPE_CHECKING:
    from obstore.store import AzureConfig, ClientConfig, RetryConfig

CREDENTIALS = (
    "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY, "
    "AZURE_STORAGE_SAS_TOKEN, a client's secret or a managed identity"
)
ENDPOINTS = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")

# The names that Azure's own command line has for what obstore calls otherwise.
_SYNONYMS = (("AZURE_STORAGE_ACCOUNT", "account_name"), ("AZURE_STORAGE_KEY", "account_key"))


def open_azure(container: str, prefix: str, patience: Patience) -> ObjectStore:
    """Open `azure://CONTAINER/PREFIX` with the account, credentials and endpoint that the environment gives."""
    config = settings()
    if not config.get("account_name") and not os.environ.get("AZURE_STORAGE_ACCOUNT_NAME"):
        raise Usage(f"no Azure storage account is named: give it by {CREDENTIALS}")
    url = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), config.get("endpoint"))
    if url:
        config["endpoint"] = url
    reached = endpoint.options(url, http_variable="AZURE_ALLOW_HTTP", bundle_variable="AZURE_CA_BUNDLE")

    def connect(*, client_options: "ClientConfig", retry_config: "RetryConfig") -> AzureStore:
        return AzureStore(
            container,
            prefix=prefix or None,
            config=config,
            client_options={**client_options, **reached},
            retry_config=retry_config,
        )

    return ObjectStore(f"azure://{container}/{prefix}".rstrip("/"), CREDENTIALS, connect, patience)


def settings() -> "AzureConfig":
    """What the environment says in ways that obstore does not read."""
    config: AzureConfig = {}
    for variable, key in _SYNONYMS:
        if value := os.environ.get(variable):
            config[key] = value  # type: ignore[literal-required]  # the keys are those above
    parts = dict(
        part.split("=", 1) for part in os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "").split(";") if "=" in part
    )
    at_host = (urlsplit(parts.get("BlobEndpoint", "")).hostname or "").partition(".")[0]
    if account := parts.get("AccountName", at_host):
        config["account_name"] = account
        scheme, suffix = parts.get("DefaultEndpointsProtocol", "https"), parts.get("EndpointSuffix", "core.windows.net")
        config["endpoint"] = parts.get("BlobEndpoint", f"{scheme}://{account}.blob.{suffix}")
    if account_key := parts.get("AccountKey"):
        config["account_key"] = account_key
    if token := parts.get("SharedAccessSignature"):
        config["sas_key"] = token
    return config
