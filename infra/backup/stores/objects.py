"""What stores in object services have in common; obstore speaks the services' protocols."""

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

import obstore

from domain.errors import Conflict, NotFound, Unavailable, WrongKey
from infra.backup.stores.interruptible import interruptible
from infra.backup.stores.object_errors import UNEXPLAINED, reporting
from infra.backup.stores.patience import BACKOFF_BASE, Patience
from infra.backup.stores.store import Capabilities, check_name, check_prefix, is_name

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from obstore import ObjectMeta
    from obstore.store import AzureStore, ClientConfig, RetryConfig, S3Store

Result = TypeVar("Result")

CHUNK_BYTES = 1 << 20
PAGE_NAMES = 1000


class Connect(Protocol):
    """Makes a client of the service with the given options; nothing is sent."""

    def __call__(self, *, client_options: "ClientConfig", retry_config: "RetryConfig") -> "S3Store | AzureStore": ...


class ObjectStore:
    """See `infra.backup.stores.store.Store`.

    An object is one conditional PUT (`If-None-Match: *`), never a multipart upload: obstore cannot make the completion
    of one conditional. So it is held in memory while it is written, once. obstore sends a request again when the
    connection broke or the service was too busy; a first try may then have succeeded, and the name be taken by it.
    """

    def __init__(self, location: str, credentials: str, connect: Connect, patience: Patience) -> None:
        """Raise `Unavailable` or `WrongKey` unless the place can be listed."""
        self.location = location
        self._credentials = credentials
        with reporting(location, "open", credentials):
            self._reads = connect(client_options=_client(patience, patience.stall_s), retry_config=_retries(patience))
            # While a large object is sent nothing is read, for longer than a stall may last.
            self._writes = connect(client_options=_client(patience, None), retry_config=_retries(patience))
        next(self.list(), None)

    @property
    def capabilities(self) -> Capabilities:
        """What the newest answer of the service shows: a version's id has only what is kept in versions."""
        name = next(self.list(), None)
        if name is None:
            return Capabilities(retention=None, versions=None, free_bytes=None)
        version = self._head(name)["version"]
        return Capabilities(retention=None, versions=version not in (None, "null"), free_bytes=None)

    def put_new(self, name: str, data: bytes) -> None:
        check_name(name)
        try:
            self._ask("write", name, lambda: obstore.put(self._writes, name, data, mode="create"))
        except (Conflict, WrongKey) as error:
            # Azure says of a name that is taken that whoever may create, and not overwrite, has no right.
            if isinstance(error, WrongKey) and not self._is_there(name):
                raise
            if not self._holds(name, data):
                raise Conflict(f"{self.location} already has an object {name}, which is never overwritten") from error

    def put_file_new(self, name: str, path: Path) -> None:
        check_name(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Unavailable(f"cannot read {path}: {error.strerror}") from error
        self.put_new(name, data)

    def get(self, name: str, *, start: int = 0, length: int | None = None) -> bytes:
        check_name(name)
        if start == 0 and length is None:
            whole = io.BytesIO()  # unlike `GetResult.bytes` it does not hold the object twice
            with self.open(name) as reader:
                while chunk := reader.read(CHUNK_BYTES):
                    whole.write(chunk)
            return whole.getvalue()
        # The services answer a range that begins at the end, or is empty, with an error.
        end = self.head(name) if length is None else min(self.head(name), start + length)
        if start >= end:
            return b""
        return self._ask("read", name, lambda: bytes(obstore.get_range(self._reads, name, start=start, end=end)))

    def open(self, name: str) -> BinaryIO:
        check_name(name)
        chunks = self._ask("read", name, lambda: obstore.get(self._reads, name).stream(min_chunk_size=CHUNK_BYTES))
        return io.BufferedReader(_Download(lambda: self._ask("read", name, lambda: next(chunks, b""))), CHUNK_BYTES)

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[str]:
        check_prefix(prefix)
        return self._names(prefix, max(after, _before(prefix)))

    def head(self, name: str) -> int:
        check_name(name)
        return self._head(name)["size"]

    def written_at(self, name: str) -> datetime:
        check_name(name)
        return self._head(name)["last_modified"]

    def delete(self, name: str) -> None:
        self.head(name)  # S3 answers the deletion of what is not there as it answers any other
        with suppress(NotFound):
            self._ask("delete", name, lambda: obstore.delete(self._writes, name))

    def sweep(self) -> int:
        return 0  # an object that is not written whole leaves nothing

    def _holds(self, name: str, data: bytes) -> bool:
        """Whether what took a name has the same bytes."""
        try:
            return self.head(name) == len(data) and self.get(name) == data
        except NotFound:
            raise Unavailable(f"cannot write {name} in {self.location}: another writer is at it: try again") from None

    def _names(self, prefix: str, after: str) -> Iterator[str]:
        last = after
        for name, size_bytes in self._listed(prefix, after):
            if not name.startswith(prefix) and name > prefix:
                return
            if name <= after or not is_name(name) or not name.startswith(prefix):
                continue
            # Consoles mark a folder by an empty object whose name ends with a slash, which obstore takes away.
            if size_bytes == 0 and not self._is_there(name):
                continue
            if name <= last:
                raise Unavailable(f"{self.location} lists {name} after {last}: it must list in order of code points")
            last = name
            yield name

    def _listed(self, prefix: str, after: str) -> Iterator[tuple[str, int]]:
        """Names and sizes in the order of the service, in the folder of a prefix."""
        folder = prefix.rpartition("/")[0]
        pages = obstore.list(self._reads, folder or None, offset=after or None, chunk_size=PAGE_NAMES)
        while True:
            page = self._ask("list", "", lambda: next(pages, None))
            if page is None:
                return
            for found in page:
                yield found["path"], found["size"]

    def _is_there(self, name: str) -> bool:
        try:
            self.head(name)
        except NotFound:
            return False
        return True

    def _head(self, name: str) -> "ObjectMeta":
        try:
            return self._ask("read", name, lambda: obstore.head(self._reads, name))
        except Unavailable as error:
            if str(error).endswith(UNEXPLAINED):
                # An answer to HEAD has no body, in which S3 says that a token has expired.
                self._ask("read", name, lambda: obstore.get_range(self._reads, name, start=0, end=1))
            raise

    def _ask(self, action: str, name: str, question: Callable[[], Result]) -> Result:
        with reporting(self.location, action, self._credentials, name):
            return interruptible(question)


class _Download(io.RawIOBase):
    """An object's bytes as they come; obstore takes a broken connection up again where it ended."""

    def __init__(self, chunk: Callable[[], bytes]) -> None:
        self._chunk = chunk
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        target = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = memoryview(self._chunk())
        size_bytes = min(len(target), len(self._rest))
        target[:size_bytes] = self._rest[:size_bytes]
        self._rest = self._rest[size_bytes:]
        return size_bytes


def _before(prefix: str) -> str:
    """The last text that sorts before every name which starts with a prefix; no name holds a tilde."""
    return prefix[:-1] + chr(ord(prefix[-1]) - 1) + "~" if prefix and not prefix.endswith("/") else ""


def _client(patience: Patience, stall_s: float | None) -> "ClientConfig":
    options: ClientConfig = {
        "connect_timeout": timedelta(seconds=patience.connect_s),
        "timeout": timedelta(seconds=patience.request_s),
        "user_agent": "resurgam",
    }
    if stall_s is not None:
        options["read_timeout"] = timedelta(seconds=stall_s)
    return options


def _retries(patience: Patience) -> "RetryConfig":
    return {
        "max_retries": patience.retries,
        "retry_timeout": timedelta(seconds=patience.retry_s),
        "backoff": {
            "init_backoff": timedelta(seconds=patience.backoff_s),
            "max_backoff": timedelta(seconds=patience.backoff_max_s),
            "base": BACKOFF_BASE,
        },
    }
