"""What is wished of a recovery or a drill, from its flags."""

from pathlib import Path

from infra.cli import inputs_file
from infra.cli.repository import parse_expectation, parse_verifier
from infra.control_plane import clean_install
from infra.control_plane.recovery import Wish


def parse(
    *,
    deployment: str | None,
    at: str | None,
    verifier: str | None,
    trust_first_use: bool,
    expect: str | None,
    accept_damage: bool,
    inputs: Path | None = None,
) -> Wish:
    """Return the wish; Usage for a flag that says nothing that can be wished."""
    return Wish(
        deployment=deployment,
        at=at,
        verifier=parse_verifier(verifier),
        trust_first_use=trust_first_use,
        expect=parse_expectation(expect),
        accept_damage=accept_damage,
        inputs=None if inputs is None else clean_install.parse_recovery_inputs(inputs_file.read(inputs)),
    )
