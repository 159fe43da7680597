"""Base64 text (RFC 4648) that has exactly one spelling: what does not encode back to itself is refused."""

import base64


def decode(text: str) -> bytes:
    """Decode the standard alphabet with padding (section 4); raise ValueError for any other spelling."""
    data = base64.b64decode(text, validate=True)
    if encode(data) != text:
        raise ValueError("not canonical base64")
    return data


def encode(data: bytes) -> str:
    """Encode in the standard alphabet with padding (section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_url(text: str) -> bytes:
    """Decode the URL-safe alphabet without padding (section 5); raise ValueError for any other spelling."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode_url(data) != text:
        raise ValueError("not canonical base64url")
    return data


def encode_url(data: bytes) -> str:
    """Encode in the URL-safe alphabet without padding (section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
