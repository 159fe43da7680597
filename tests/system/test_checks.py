"""Every check of backups, broken: data that only this check can catch, and the exit code of whoever reads it.

What is forged is forged with the deployment's own keys, so that all else agrees. `scripts/mutate` takes the checks
out of the source instead.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from domain.errors import ResurgamError
from infra.cli.errors import exit_code
from infra.control_plane.plane import ControlPlane
from infra.database.url import open_database
from infra.keys.password import TEST_COST
from scripts.mutation.mutant import raises
from tests.attestations import signer_of
from tests.backup_estate import Estate, estate, grown, is_empty, recover, set_secret, verify
from tests.infra.control_plane.installation import ROOT_KEY
from tests.system.harms import CHECKS, Check, Scene

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    with estate(folder) as made:
        grown(made)
    return folder


@pytest.fixture
def scene(original: Path, tmp_path: Path) -> Iterator[Scene]:
    folder = Path(shutil.copytree(original, tmp_path / "estate"))
    database = open_database(f"sqlite:///{folder}/store.db")
    made = Estate(folder, database, ControlPlane(database, ROOT_KEY, cost=TEST_COST))
    yield Scene(made, made.root, signer_of(made))
    database.close()


def act(scene: Scene, action: str, deployment: str) -> None:
    """Read the repository, or write into it; a recovery that fails leaves its target empty."""
    if action == "verify":
        verify(scene.root, deployment, [scene.identity], scene.expect)
    elif action == "run":
        scene.made.record(set_secret("Database", "new"))
        scene.made.back_up()
    else:
        target = open_database(f"sqlite:///{scene.made.folder}/target.db", create=True)
        try:
            asked = replace(scene.wish, expect=scene.expect)
            recover(target, scene.made.folder, scene.root, asked, [scene.identity])
        except ResurgamError:
            assert is_empty(target)
            raise
        finally:
            target.close()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.said)
def test_what_only_one_check_can_find_is_found_with_the_right_exit_code(scene: Scene, check: Check) -> None:
    deployment = scene.made.deployment
    check.harm(scene)
    for action in check.stops:
        with pytest.raises(ResurgamError) as refusal:
            act(scene, action, deployment)
        assert check.said in str(refusal.value), action
        assert exit_code(refusal.value) == check.code, action


@pytest.mark.parametrize("action", ["verify", "recover", "run"])
def test_without_harm_every_check_is_passed(scene: Scene, action: str) -> None:
    act(scene, action, scene.made.deployment)


ELSEWHERE = {
    "reads back differently from what was written": "test_what_reads_back_differently_is_named_by_no_manifest",
    "did not make it: it is forged": "test_a_holder_who_claims_to_be_another_is_found",
    "it is no attestation": "test_what_is_no_attestation_is_invalid",
    "is no instant": "test_a_claim_that_is_not_the_manifests_counts_for_nothing_whoever_signed_it",
    "it is of another manifest than": "test_a_claim_that_is_not_the_manifests_counts_for_nothing_whoever_signed_it",
    "gave something else than": "test_a_claim_that_is_not_the_manifests_counts_for_nothing_whoever_signed_it",
    "it is not proven by": "test_any_changed_byte_makes_it_invalid_also_under_a_name_that_fits",
    "it has more than": "test_one_that_is_too_large_is_invalid_and_not_read",
    "it is not what its name says": "test_one_that_lies_under_another_name_is_invalid",
    "its second line is not base64": "test_any_changed_byte_makes_it_invalid_also_under_a_name_that_fits",
    "deployments, name one": "test_of_several_deployments_one_must_be_named",
    "holds no backup": "test_an_empty_repository_has_nothing_to_choose",
    "not its command's": "test_a_log_that_ends_within_a_command_is_not_cut",
    "the log has position": "test_a_log_with_a_gap_is_not_cut",
    "do not have the Merkle root": "test_an_edited_record_that_is_not_backed_up_yet_is_refused",
    "are not those that were backed up": "test_records_that_are_written_again_are_compared_with_what_was_backed_up",
    "holds a line that is no key": "test_a_keyring_of_another_form_is_refused",
    "with other lines than were written": "test_what_was_not_written_as_it_was_meant_is_named_by_no_manifest",
    "its compressed lines end in the middle": "test_a_payload_that_is_no_lines_is_refused",
    "cannot write the temporary file": "test_a_full_disk_is_unavailable",
    "it does not decompress": "test_a_payload_that_is_no_lines_is_refused",
    "bytes follow its compressed lines": "test_a_payload_that_is_no_lines_is_refused",
    "is not of the signer, the epoch": "test_a_statement_that_contradicts_its_chain_or_itself_is_refused",
    "has the gap": "test_a_statement_that_contradicts_its_chain_or_itself_is_refused",
    "marks a manifest": "test_a_statement_that_contradicts_its_chain_or_itself_is_refused",
    "which no backup of this deployment names": "test_a_statement_that_contradicts_its_chain_or_itself_is_refused",
    "the keyring lacks the key": "test_a_keyring_that_lacks_a_live_key_fails_the_drill_and_names_the_resource",
    "it is no manifest": "test_a_manifest_that_is_too_large_is_not_read_into_memory",
    "it is no prune statement": "test_a_statement_that_is_too_large_is_not_read_into_memory",
    "and is missing since": "test_a_newest_manifest_that_vanishes_meanwhile_is_named",
    "other backup runs were faster": "test_a_run_that_always_loses_gives_up",
    "no backup recipient is recorded": "test_without_a_recipient_nothing_is_backed_up",
    "has answers of position": "test_answers_of_a_position_beyond_the_backup_are_refused",
    "says twice, or of what it does not name": "test_an_audience_of_what_a_manifest_does_not_name_is_corrupt",
    "is encrypted in part to others": "test_together_identities_recover_what_none_of_them_opens_alone",
    "supersedes keyrings before": "test_a_statement_that_contradicts_its_chain_or_itself_is_refused",
    "reads differently from moment to moment": "test_a_misread_repository_file_begins_no_chain",
    "no key is kept for the object": "test_without_a_kept_file_key_nothing_can_be_read_back",
}
"""Checks that these tests show, by what they say."""

ADVICE = ("cannot make a temporary folder", "…: …", "…")
"""What is no check of what was read: what failed is named once more, or has nothing to do with the repository."""

MODULES = (
    "attestation",
    "choice",
    "comparison",
    "continuation",
    "cutter",
    "draft",
    "endorsement",
    "freshness",
    "keyring_file",
    "lines_file",
    "manifest",
    "prune_statement",
    "rebuild",
    "repository",
    "run",
    "segment",
    "signed_document",
    "verification",
)


@pytest.mark.parametrize("module", MODULES)
def test_every_check_has_a_test_that_breaks_what_it_checks(module: str) -> None:
    """A new check is broken in `CHECKS`, or its test is named in `ELSEWHERE`."""
    shown = [*(check.said for check in CHECKS), *ELSEWHERE, *(one for one in ADVICE if len(one) > 5)]
    unshown = [
        f"{module}.py:{line}: {message}"
        for line, message in raises(ROOT / "infra" / "backup" / f"{module}.py")
        if message not in ADVICE and not any(said in message for said in shown)
    ]
    assert unshown == []


def test_the_tests_that_are_named_are_there() -> None:
    source = "".join(path.read_text("utf-8") for path in ROOT.glob("tests/**/test_*.py"))
    assert [name for name in ELSEWHERE.values() if f"def {name}(" not in source] == []
