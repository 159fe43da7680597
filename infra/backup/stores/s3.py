"""A store in a bucket of S3, or of a service with its protocol that knows `If-None-Match`."""

import os
from typing import TYPE_CHECKING

from obstore.store import S3Store

from infra.backup.stores import aws_profile, endpoint
from infra.backup.stores.objects import ObjectStore
from infra.backup.stores.patience import Patience

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or the role of this machine"
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


def open_s3(bucket: str, prefix: str, patience: Patience) -> ObjectStore:
    """Open `s3://BUCKET/PREFIX` with the credentials, region and endpoint that the environment or a profile gives.

    In the order of AWS's own tools: the environment, the profile's files, then a web identity, container or machine.
    """
    profile = None if os.environ.get("AWS_ACCESS_KEY_ID") else aws_profile.find()
    settings = aws_profile.settings()
    # A bucket with object lock takes no object without a checksum; any other one compares it with what arrives.
    config: S3Config = {
        "bucket": bucket,
        "checksum_algorithm": "SHA256",
        "conditional_put": "etag",
        "disable_bulk_delete": True,
    }
    url = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), settings.endpoint)
    reached = endpoint.options(url, http_variable="AWS_ALLOW_HTTP", bundle_variable="AWS_CA_BUNDLE")
    if url:
        config["endpoint"] = url
    if settings.region and not os.environ.get("AWS_REGION") and not os.environ.get("AWS_DEFAULT_REGION"):
        config["region"] = settings.region

    def connect(*, client_options: "ClientConfig", retry_config: "RetryConfig") -> S3Store:
        return S3Store(
            prefix=prefix or None,
            config=config,
            client_options={**client_options, **reached},
            retry_config=retry_config,
            credential_provider=profile,
        )

    return ObjectStore(f"s3://{bucket}/{prefix}".rstrip("/"), CREDENTIALS, connect, patience)
