"""The reference of all commands is what the program says."""

from pathlib import Path

from domain.control_plane import COMMANDS
from infra.cli import command_reference
from infra.control_plane.request import SYSTEM_COMMANDS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "commands.md"


def test_the_committed_page_is_the_one_that_the_program_writes() -> None:
    written = "resurgam record --schema --markdown > docs/reference/commands.md"
    assert PAGE.read_text() == command_reference.markdown().rstrip("\n") + "\n", f"write it again: {written}"


def test_every_reference_leads_somewhere() -> None:
    schema = command_reference.schema()
    names = set(schema["$defs"])

    def references(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {str(value["$ref"]).removeprefix("#/$defs/")} if "$ref" in value else set()
            return own.union(*map(references, value.values()))
        return set().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(schema) <= names
    assert {one["title"] for one in schema["oneOf"]} == COMMANDS.keys() - SYSTEM_COMMANDS


def test_secrets_are_marked_as_such() -> None:
    password = command_reference.schema()["$defs"]["SetPassword"]["properties"]["password"]
    assert (password["writeOnly"], password["format"]) == (True, "password")
    assert "| `password` | secret text" in command_reference.markdown()
