"""The stores on networks keep the contract, each on a real server."""

from collections.abc import Callable

import pytest

from infra.backup.stores.store import Store
from infra.backup.stores.url import open_store
from tests.contracts.store import StoreContract
from tests.store_servers import Place

Enter = Callable[[Place], str]


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, s3_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(s3_server.fresh()))


class TestAzureStore(StoreContract):
    @pytest.fixture
    def store(self, azure_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(azure_server.fresh()))


class TestSmbStore(StoreContract):
    @pytest.fixture
    def store(self, smb_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(smb_server.fresh()), create=True)
