"""The stores on networks keep the contract, each on a real server."""

import uuid
from collections.abc import Callable
from typing import Any

import boto3  # type: ignore[import-untyped]  # it comes with moto, and brings no annotations
import pytest

from domain.errors import Conflict, Unavailable
from infra.backup.stores.store import Store
from infra.backup.stores.url import open_store
from tests.contracts.store import StoreContract
from tests.fault_proxy import http_faults
from tests.store_servers import Place

Enter = Callable[[Place], str]


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, s3_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(s3_server.fresh()))


@pytest.fixture
def s3_client(s3_server: Place, store_environment: Enter) -> Any:
    """AWS's own client, at the server in the environment."""
    store_environment(s3_server)
    return boto3.client("s3", region_name="us-east-1")


@pytest.mark.parametrize("where", ["", "/x"])
@pytest.mark.parametrize("name", ["x/", "x/dir/", "x/a b", "x/Readme.txt", "x/ä", "x/%41", "x/a~", "x/a\\b"])
def test_objects_of_others_and_marks_of_folders_are_none_of_ours(s3_client: Any, name: str, where: str) -> None:
    bucket = f"foreign-{uuid.uuid4().hex}"
    s3_client.create_bucket(Bucket=bucket)
    for key in ("x/dir-1", "x/z", name):
        s3_client.put_object(Bucket=bucket, Key=key, Body=b"")
    store = open_store(f"s3://{bucket}{where}")
    assert list(store.list()) == (["dir-1", "z"] if where else ["x/dir-1", "x/z"])


@pytest.mark.parametrize("name", ["x/a//b", "x/./a", "x/../a"])
def test_an_object_whose_name_is_none_is_named(s3_client: Any, name: str) -> None:
    bucket = f"foreign-{uuid.uuid4().hex}"
    s3_client.create_bucket(Bucket=bucket)
    s3_client.put_object(Bucket=bucket, Key=name, Body=b"")
    with pytest.raises(Unavailable, match=f"'{name}': remove that object, or copy"):
        open_store(f"s3://{bucket}")


def test_a_bucket_with_object_lock_takes_objects_and_keeps_what_is_deleted(
    s3_server: Place, store_environment: Enter, s3_client: Any
) -> None:
    s3_client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    lock = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3_client.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=lock)
    endpoint = s3_server.environment["AWS_ENDPOINT_URL_S3"]
    # moto wants a header that AWS asks for only where there is no checksum; a signature it does not check.
    names_the_checksum = {"x-amz-checksum-sha256": {"x-amz-sdk-checksum-algorithm": "SHA256"}}
    with http_faults(endpoint, lambda *_: None, adds=names_the_checksum) as checked:
        environment = {**s3_server.environment, "AWS_ENDPOINT_URL_S3": checked}
        store = open_store(store_environment(Place("s3://locked/a", environment)))
        store.put_new("d/a", b"1")
        with pytest.raises(Conflict):
            store.put_new("d/a", b"2")
        assert s3_client.head_object(Bucket="locked", Key="a/d/a")["ObjectLockMode"] == "COMPLIANCE"
        assert store.capabilities.versions is True
        store.delete("d/a")
        assert list(store.list()) == []
    kept = s3_client.list_object_versions(Bucket="locked")["Versions"]
    assert [version["Key"] for version in kept] == ["a/d/a"]


class TestAzureStore(StoreContract):
    @pytest.fixture
    def store(self, azure_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(azure_server.fresh()))


class TestSmbStore(StoreContract):
    @pytest.fixture
    def store(self, smb_server: Place, store_environment: Enter) -> Store:
        return open_store(store_environment(smb_server.fresh()), create=True)

    @pytest.mark.slow  # a thousand handles are opened one by one
    def test_more_names_than_a_page_holds_are_listed(self, store: Store) -> None:
        super().test_more_names_than_a_page_holds_are_listed(store)
