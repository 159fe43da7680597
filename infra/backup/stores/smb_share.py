"""A connection to an SMB 3 share with encryption, which is made again when it breaks."""

import errno
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import smbclient
from smbprotocol.exceptions import (
    SMBAuthenticationError,
    SMBException,
    SMBOSError,
    SMBResponseException,
    SMBUnsupportedFeature,
)
from smbprotocol.header import NtStatus

from domain.errors import ResurgamError, Unavailable, WrongKey
from infra.backup.stores.patience import Patience
from infra.backup.stores.smb_credentials import SOURCES, Credentials

Result = TypeVar("Result")

# Without a handler Python writes what they log of a broken connection to standard error; the error says it.
for _name in ("smbclient", "smbprotocol", "spnego"):
    logging.getLogger(_name).addHandler(logging.NullHandler())

PORT = 445

_STALL_VARIABLE = "SMB_EXPERIMENTAL_TRANSPORT_RECEIVE_TIMEOUT"

_REFUSED = frozenset(
    {
        NtStatus.STATUS_LOGON_FAILURE,
        NtStatus.STATUS_ACCESS_DENIED,
        0xC000006E,  # STATUS_ACCOUNT_RESTRICTION
        0xC000006F,  # STATUS_INVALID_LOGON_HOURS
        0xC0000070,  # STATUS_INVALID_WORKSTATION
        0xC0000071,  # STATUS_PASSWORD_EXPIRED
        0xC0000072,  # STATUS_ACCOUNT_DISABLED
        0xC0000193,  # STATUS_ACCOUNT_EXPIRED
        0xC0000224,  # STATUS_PASSWORD_MUST_CHANGE
        0xC0000234,  # STATUS_ACCOUNT_LOCKED_OUT
    }
)
_NO_SHARE = frozenset({0xC00000CC, 0xC0000225})  # STATUS_BAD_NETWORK_NAME, and STATUS_NOT_FOUND where DFS is asked
_FULL = frozenset({0xC000007F, 0xC0000044})  # STATUS_DISK_FULL, STATUS_QUOTA_EXCEEDED
_READ_ONLY = 0xC00000A2  # STATUS_MEDIA_WRITE_PROTECTED
_PASSING = frozenset(
    {
        0xC0000043,  # STATUS_SHARING_VIOLATION: a virus scanner or an indexer looks at the file
        0xC0000056,  # STATUS_DELETE_PENDING: somebody still reads what was deleted
        0xC000009A,  # STATUS_INSUFFICIENT_RESOURCES
        0xC00000C9,  # STATUS_NETWORK_NAME_DELETED
        0xC0000203,  # STATUS_USER_SESSION_DELETED
        0xC000035C,  # STATUS_NETWORK_SESSION_EXPIRED
    }
)


_MEANT = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)
_MEANT_ERRNO = frozenset({errno.ENOENT, errno.EEXIST, errno.EISDIR, errno.ENOTDIR})


class Broken(Exception):
    """The call did not come through, and may on a new connection."""


class Share:
    """Calls of smbclient on the share `\\\\server\\share`, which is `unc`."""

    def __init__(self, unc: str, port: int, location: str, credentials: Credentials, patience: Patience) -> None:
        self.unc = unc
        self.location = location
        self._patience = patience
        self._connections: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._session = {
            "username": credentials.username,
            "password": credentials.password,
            "port": port,
            "encrypt": True,
            "connection_timeout": patience.connect_s,
            "connection_cache": self._connections,
        }
        self._server = unc.split("\\")[2]

    def retrying(self, failed: str, attempt: Callable[[], Result]) -> Result:
        """Return what an attempt does by the calls below; `failed` begins the message of an error.

        An attempt that broke is made again: it may have been carried out before, in part or whole. An error that says
        what is there or missing (`FileNotFoundError`, `FileExistsError` …) is raised as it is.
        """

        def once() -> Result:
            try:
                return attempt()
            except _MEANT:
                raise
            except (SMBOSError, SMBResponseException) as error:
                if _status(error) in _PASSING:
                    self._drop()
                    raise Broken(_words(error)) from error
                raise _meaning(error, f"{failed} in {self.location}") from error
            except SMBAuthenticationError as error:
                raise WrongKey(f"{failed} in {self.location}: the logon fails: check {SOURCES}") from error
            except (SMBException, OSError, ValueError) as error:
                self._drop()
                if "guest" in str(error):
                    raise WrongKey(
                        f"{failed} in {self.location}: the server takes the user for a guest: check {SOURCES}"
                    ) from error
                if "encryption" in str(error) or isinstance(error, SMBUnsupportedFeature):
                    raise Unavailable(
                        f"{failed} in {self.location}: the server does not encrypt: it must speak SMB 3 with encryption"
                    ) from error
                raise Broken(_words(error)) from error

        try:
            return self._patience.retrying(once, Broken)
        except Broken as error:
            raise Unavailable(f"{failed} in {self.location}: {error}") from error.__cause__

    def open(self, path: str, **options: Any) -> Any:
        """Open a file of the share without a buffer, or a folder; see `smbclient.open_file`."""
        return self.do(smbclient.open_file, path, buffering=0, **options)

    def do(self, function: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
        """Call a function of smbclient."""
        self._connect()
        try:
            return function(*arguments, **options, **self._session)
        except SMBOSError as error:
            if error.errno in _MEANT_ERRNO and error.ntstatus not in _NO_SHARE:
                # The error's class follows from its number only where Python's own is made.
                raise OSError(error.errno, error.strerror, error.filename) from error
            raise

    def _connect(self) -> None:
        # Without the lock threads that come first would make a connection each, and lose all but one.
        with self._lock:
            # smbclient has no other way to say how long a connection may be silent; after twice that it is closed.
            os.environ[_STALL_VARIABLE] = str(max(1, round(self._patience.stall_s)))
            smbclient.register_session(self._server, **self._session)

    def _drop(self) -> None:
        with self._lock:
            for connection in self._connections.values():
                connection.transport.close()
            self._connections.clear()


def _status(error: SMBOSError | SMBResponseException) -> int:
    return int(error.ntstatus if isinstance(error, SMBOSError) else error.status)


def _meaning(error: SMBOSError | SMBResponseException, failed: str) -> ResurgamError:
    status = _status(error)
    if status in _REFUSED:
        return WrongKey(f"{failed}: {_words(error)}: check the user's rights, and {SOURCES}")
    if status in _NO_SHARE:
        return Unavailable(f"{failed}: there is no such share")
    if status in _FULL:
        return Unavailable(f"{failed}: no space left")
    if status == _READ_ONLY:
        return Unavailable(f"{failed}: it is read-only")
    return Unavailable(f"{failed}: {_words(error)}")


def _words(error: Exception) -> str:
    if isinstance(error, SMBOSError | SMBResponseException):
        return f"the server answers {_status(error):#010x}"
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return (cause.strerror if isinstance(cause, OSError) else None) or "the connection breaks"
