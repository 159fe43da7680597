"""What goes wrong on the way to an SMB share, and in it."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import smbclient
from smbprotocol.exceptions import SMBOSError

from domain.errors import Conflict, NotFound, Unavailable, WrongKey
from infra.backup.stores.store import TEMPORARY_SECONDS_MAX, Store
from infra.backup.stores.url import open_store
from tests import store_servers
from tests.contracts.store import large_object
from tests.disk import small_disk
from tests.fault_proxy import MessageCutter
from tests.store_servers import QUICK, Place

Enter = Callable[[Place], str]


@pytest.mark.parametrize(("name", "value"), [("PASSWORD", "wrong-password"), ("USERNAME", "nobody-here")])
def test_a_logon_that_fails_is_wrong(smb_server: Place, store_environment: Enter, name: str, value: str) -> None:
    wrong = replace(smb_server, environment={**smb_server.environment, f"RESURGAM_SMB_{name}": value})
    with pytest.raises(WrongKey, match="RESURGAM_SMB_CREDENTIALS") as raised:
        open_store(store_environment(wrong), patience=QUICK)
    assert value not in str(raised.value)


def test_a_user_that_is_taken_for_a_guest_is_wrong(tmp_path: Path, store_environment: Enter) -> None:
    settings = "server smb encrypt = desired\n  map to guest = Bad User"
    with store_servers.samba(tmp_path, settings=settings) as place:
        guest = replace(place, environment={**place.environment, "RESURGAM_SMB_USERNAME": "nobody-here"})
        with pytest.raises(WrongKey, match="guest"):
            open_store(store_environment(guest), patience=QUICK)


def test_smb_without_user_or_ticket_is_wrong(smb_server: Place, store_environment: Enter) -> None:
    with pytest.raises(WrongKey, match="Kerberos"):
        open_store(store_environment(replace(smb_server, environment={})), patience=QUICK)


def test_a_share_that_is_not_there_is_unavailable(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server).replace("/backups", "/nowhere")
    with pytest.raises(Unavailable, match="no such share"):
        open_store(url, create=True, patience=QUICK)


def test_a_folder_of_a_share_is_made_only_when_asked(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server.fresh())
    with pytest.raises(Unavailable, match="No such file"):
        open_store(url)
    open_store(f"{url}/a/b", create=True).put_new("c", b"1")
    assert open_store(url).get("a/b/c") == b"1"


def test_a_file_in_the_place_of_a_share_s_folder_is_unavailable(smb_server: Place, store_environment: Enter) -> None:
    url = store_environment(smb_server.fresh())
    open_store(url, create=True).put_new("a", b"1")
    with pytest.raises(Unavailable):
        open_store(f"{url}/a")


def test_a_read_only_share_can_be_read_and_refuses_to_be_written(smb_server: Place, store_environment: Enter) -> None:
    place = smb_server.fresh()
    open_store(store_environment(place), create=True).put_new("a", b"1")
    store = open_store(place.url.replace("/backups/", "/reading/"), patience=QUICK)
    assert store.get("a") == b"1"
    with pytest.raises((WrongKey, Unavailable), match=store.location):
        store.put_new("b", b"1")
    with pytest.raises((WrongKey, Unavailable), match=store.location):
        store.delete("a")


def test_a_server_that_does_not_encrypt_is_refused(tmp_path: Path, store_environment: Enter) -> None:
    with (
        store_servers.samba(tmp_path, settings="server smb encrypt = off") as place,
        pytest.raises(Unavailable, match="SMB 3 with encryption"),
    ):
        open_store(store_environment(place), patience=QUICK)


def test_a_share_without_links_gets_its_objects_by_a_rename(
    smb_server: Place, store_environment: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FAT on a NAS answers so; no share of one can be made in a test without its tools.
    def refuse(*_: object, **__: object) -> None:
        raise SMBOSError(0xC00000BB, "link")

    monkeypatch.setattr(smbclient, "link", refuse)
    store = open_store(store_environment(smb_server.fresh()), create=True)
    store.put_new("d/a", b"1")
    with pytest.raises(Conflict):
        store.put_new("d/a", b"2")
    assert (list(store.list()), store.get("d/a")) == (["d/a"], b"1")


def test_a_full_share_is_unavailable_and_leaves_nothing(tmp_path: Path, store_environment: Enter) -> None:
    share = tmp_path / "share"
    share.mkdir()
    with small_disk(share), store_servers.samba(tmp_path) as place:
        store = open_store(store_environment(place), patience=QUICK)
        store.put_new("d/a", b"1")
        with pytest.raises(Unavailable, match=r"cannot write d/b in smb://.*no space left"):
            store.put_new("d/b", large_object())
        assert [path.name for path in share.rglob("*") if path.is_file()] == ["a"]
        store.put_new("d/b", bytes(500_000))
        assert list(store.list()) == ["d/a", "d/b"]


def test_a_sweep_of_a_share_removes_old_temporary_files_only(tmp_path: Path, store_environment: Enter) -> None:
    with store_servers.samba(tmp_path) as place:
        store = open_store(f"{store_environment(place)}/a", create=True)
        store.put_new("d/a", b"1")
        folder = tmp_path / "share" / "a"
        old = time.time() - TEMPORARY_SECONDS_MAX - 1
        for path in (folder / "d" / ".tmp-old", folder / "d" / "a", folder / ".tmp-old", folder / ".tmp-new"):
            path.touch()
            os.utime(path, (old, old) if path.name != ".tmp-new" else None)
        assert store.sweep() == 2
        assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == [".tmp-new", "a"]


@pytest.fixture
def cutter(smb_server: Place) -> Iterator[MessageCutter]:
    parts = urlsplit(smb_server.url)
    assert parts.hostname is not None
    assert parts.port is not None
    made = MessageCutter(parts.hostname, parts.port)
    yield made
    made.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of handles that were cut
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_smb_that_is_cut_at_any_message_is_made_again(
    smb_server: Place, store_environment: Enter, cutter: MessageCutter
) -> None:
    place = smb_server.fresh()
    store_environment(place)
    url = f"smb://127.0.0.1:{cutter.port}{urlsplit(place.url).path}"
    store = open_store(url, create=True, patience=QUICK)
    for count in range(1, 200):
        name = f"d{count}/manifest"
        cutter.cut_after(count)
        whole_story(store, name, b"%d" % count)
        if not cutter.has_cut:
            assert count > 20
            return
    raise AssertionError("a story never ended")


def whole_story(store: Store, name: str, data: bytes) -> None:
    store.put_new(name, data)
    with pytest.raises(Conflict):
        store.put_new(name, b"another")
    assert store.get(name) == data
    with store.open(name) as reader:
        assert reader.read() == data
    assert list(store.list(name)) == [name]
    assert store.head(name) == len(data)
    store.delete(name)
    with pytest.raises(NotFound):
        store.get(name)
