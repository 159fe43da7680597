"""A repository's location is understood or refused by name, and never repeated with its credentials."""

import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import Unavailable, Usage
from infra.backup.stores.url import open_store

ROOT = Path(__file__).parents[3]


def test_a_file_url_is_opened(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}").location == tmp_path.as_uri()
    assert open_store(f"FILE://localhost{tmp_path}").location == tmp_path.as_uri()


def test_a_percent_sign_in_a_file_url_encodes(tmp_path: Path) -> None:
    (tmp_path / "a b?").mkdir()
    store = open_store(f"file://{tmp_path}/a%20b%3F")
    assert store.location == f"{tmp_path.as_uri()}/a%20b%3F"


def test_a_plain_path_is_opened_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "50%").mkdir()
    monkeypatch.chdir(tmp_path)
    assert open_store("50%").location == (tmp_path / "50%").as_uri()


def test_a_missing_directory_is_made_only_when_asked(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/a/b"
    with pytest.raises(Unavailable):
        open_store(url)
    open_store(url, create=True)
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("scheme", ["https", "gs", "sftp"])
def test_another_scheme_is_refused_without_its_credentials(scheme: str) -> None:
    with pytest.raises(Usage, match=rf"no repositories at {scheme}://, but at file:///FOLDER, s3://") as refused:
        open_store(f"{scheme}://operator:hunter2@region.example/bucket")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["s3", "azure", "smb"])
@pytest.mark.parametrize("rest", ["operator:hunter2@region.example/bucket", "hunter2@bucket", ":hunter2@bucket/a"])
def test_credentials_in_a_location_are_refused_and_not_repeated(scheme: str, rest: str) -> None:
    with pytest.raises(Usage, match="credentials do not belong into a location") as refused:
        open_store(f"{scheme}://{rest}")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["s3", "azure", "smb"])
@pytest.mark.parametrize(
    "rest", ["", "/", "/bucket", "b/../c", "b/a/..", "b//c", "b?sig=hunter2", "b/c#hunter2", "b/a\0", "b:x/c", "b/a*"]
)
def test_a_malformed_location_of_a_network_store_is_refused_and_not_repeated(scheme: str, rest: str) -> None:
    with pytest.raises(Usage) as refused:
        open_store(f"{scheme}://{rest}")
    assert "hunter2" not in str(refused.value)


def test_heavy_libraries_are_loaded_only_for_a_location_that_needs_them() -> None:
    program = (
        "import sys; from infra.backup.stores.url import open_store; open_store('.');"
        "print([name for name in ('obstore', 'smbprotocol', 'smbclient', 'spnego') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "url", ["", "file://", "file:", "file:a", "file://host.example/a", "file:///a?b", "file:///a#b"]
)
def test_a_malformed_location_is_refused(url: str) -> None:
    with pytest.raises(Usage):
        open_store(url)


@pytest.mark.parametrize("url", ["a\0b", "file:///a%00b"])
def test_a_location_with_a_nul_is_refused(url: str) -> None:
    with pytest.raises(Usage):
        open_store(url)
