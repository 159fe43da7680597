"""The commands of `resurgam`, each loaded when it is run, and what happens with whatever goes wrong."""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from domain.errors import ResurgamError, Usage
from infra.cli import INTERRUPTED, errors

COMMANDS: Mapping[str, tuple[str | None, str]] = {
    "init": ("init", "Clean install: make a new deployment from its deployment inputs."),
    "record": ("record", "Record commands, given as JSON Lines, and answer one line each as they commit."),
    "get": ("reading", "Show a resource, or all resources of a kind."),
    "history": ("reading", "Show every version of a resource: who, when, why, and what changed."),
    "diff": ("reading", "Show what changed between two points in time."),
    "expiring": ("reading", "Show certificates, secrets and credentials that run out."),
    "access": ("access", "Ask who may do what, and by which roles."),
    "quota": ("quota", "Show a subscription's quotas, and ask whether a request would be admitted."),
    "authenticate": ("authenticate", "Check a password or client secret, read from standard input."),
    "secret": ("secret", "Read sealed values."),
    "log": ("log", "Verify, prove and export the log."),
    "key": (None, "Make, inspect, check and share out keys."),
    "key generate": (
        "key",
        "Make an identity, which opens backups, and print the recipient that backups are encrypted to.",
    ),
    "key recipient": (
        "key",
        "Print the recipient that backups are encrypted to, of a certificate or of an identity.",
    ),
    "key inspect": (
        "key",
        "Show the deployment's signer, root key id and backup recipients, or the recipients of an identity file.",
    ),
    "key endorse": (
        "key",
        "Vouch for a deployment's signer with an identity, or take such an endorsement into the deployment.",
    ),
    "key escrow": (
        "key_escrow",
        "Split an identity into shares of 35 words for custodians; any K of the N join it again.",
    ),
    "key join": ("key_escrow", "Join the shares of custodians to the identity again, and print its recipient."),
    "key check": ("key_check", "Prove that an identity still opens the newest backup, also without the network."),
    "key rotate-root": ("key_rotation", "Wrap everything by a new root key, and destroy the old one."),
    "key restore-root": (
        "key_restoration",
        "Bring a store back whose root key is lost, with the keys of its newest backup.",
    ),
    "backup": (None, "Make, watch, list, verify, drill and prune backups."),
    "backup doctor": ("backup_doctor", "Try whether a place keeps what backups need, and say what it cannot promise."),
    "backup run": ("backup_run", "Back up whatever is new, read it back, and state it in a signed manifest."),
    "backup watch": ("backup_watch", "Ship new records as they come, and make verified backups at the set times."),
    "backup list": (
        "backup_list",
        "List the backups of each deployment, newest last; this needs no identity and no store.",
    ),
    "backup status": ("backup_status", "Show how far the backups reach, and how old the newest verified one is."),
    "backup verify": ("backup_verify", "Check every object of the repository against its signed manifests."),
    "backup drill": (
        "backup_drill",
        "Recover a backup into a scratch store, compare it with what was backed up, and throw it away.",
    ),
    "backup rekey": (
        "backup_rekey",
        "Seal everything that the newest backup holds again, to the present recipients and to nobody else.",
    ),
    "backup prune": ("backup_prune", "Mark the backups that are no longer wanted, and delete what was marked before."),
    "backup kit": (
        "backup_kit",
        "Print what a bare machine needs to recover: places, fingerprints, steps, no secrets.",
    ),
    "backup shred-report": ("backup_shred_report", "Show where copies of destroyed keys can still be, and until when."),
    "recover": ("recover", "Recover a deployment from nothing but a repository and an identity."),
    "fork": ("fork", "Go on with a log that no longer agrees with its own backups, as a new deployment."),
    "release": ("release", "Show this release and what it accepts."),
}
"""Command -> (module of infra.cli, first line of its help). The module's `app` has the command, or is it.

A group without a module is made of the commands that begin with its name.
"""


class Commands(TyperGroup):
    """The commands of the table that begin with a prefix; listing them imports none."""

    _is_outline = False

    def __init__(self, *, prefix: str = "", **settings: Any) -> None:
        super().__init__(**settings)
        self._prefix = prefix

    def list_commands(self, ctx: Any) -> list[str]:
        """See TyperGroup."""
        names = [name.removeprefix(self._prefix) for name in COMMANDS if name.startswith(self._prefix)]
        return [name for name in names if " " not in name]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See TyperGroup."""
        name = self._prefix + cmd_name
        if name not in COMMANDS:
            return None
        module, help_line = COMMANDS[name]
        if self._is_outline:
            return TyperGroup(name=cmd_name, help=help_line)
        if module is None:
            return Commands(
                name=cmd_name, help=help_line, prefix=f"{name} ", no_args_is_help=True, rich_markup_mode=None
            )
        group = typer.main.get_group(import_module(f"infra.cli.{module}").app)
        return group.commands.get(cmd_name, group)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """See TyperGroup."""
        self._is_outline = True
        super().format_commands(ctx, formatter)


app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def resurgam() -> None:
    """The event-sourced state store of a private cloud's control plane: record, audit, back up, recover.

    Settings come from flags, else from RESURGAM_STORE, RESURGAM_REPOSITORY, RESURGAM_ROOT_KEY_FILE, RESURGAM_ROOT_KEY
    and RESURGAM_ACTOR, else from resurgam.toml in the working folder.

    Exit codes: 0 done, 2 usage, 3 refused, 4 not found, 5 conflict, 6 corrupt, 7 wrong key or credential, 8 store or
    repository unreachable, 1 anything else.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error becomes one line on standard error, never a traceback."""
    is_json = "--json" in arguments
    try:
        code = typer.main.get_command(app).main(list(arguments), prog_name="resurgam", standalone_mode=False)
        sys.stdout.flush()
    except ResurgamError as error:
        return errors.report(error, is_json=is_json)
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not complain when it flushes the rest.
        sys.stdout = None
        return errors.OTHER
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return errors.EXIT_CODES[Usage]
        return errors.report(Usage(_lower(error.format_message())), is_json=is_json)
    except Exception as error:  # noqa: BLE001, the last resort: whatever it is, the operator gets one line
        return errors.report(errors.defect(error).with_traceback(error.__traceback__), is_json=is_json)
    return code if isinstance(code, int) else 0


def _lower(message: str) -> str:
    """Return Typer's sentence in the form of our own messages."""
    return message[:1].lower() + message[1:].rstrip(".")
