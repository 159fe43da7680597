"""Settings: flags win over the environment, the environment over `resurgam.toml` in the working folder."""

import tomllib
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from domain.errors import Unavailable, Usage
from infra.backup import retention
from infra.keys.root_key import EnvironmentRootKey, FileRootKey, RootKey
from infra.keys.root_key_change import RootKeyChange

FILE = "resurgam.toml"


class Settings(BaseSettings):
    """What every command needs to know; in the environment each name is prefixed with RESURGAM_.

    `root_key` is the root key's line itself, and comes from the environment alone. `actor` is a principal whose name is
    recorded with what is done, and decides nothing. `identity_password_file` holds the password of an identity in a
    PFX. The others say which backups a prune keeps.
    """

    model_config = SettingsConfigDict(
        env_prefix="RESURGAM_",
        toml_file=FILE,
        extra="forbid",
        frozen=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    store: str = "sqlite:///resurgam.db"
    repository: str | None = None
    root_key_file: Path = Path("resurgam.root-key")
    root_key: SecretStr | None = None
    actor: str | None = None
    identity_password_file: Path | None = None
    keep_days: int = Field(default=retention.DAYS, ge=retention.DAYS_MIN)
    keep_last: int = Field(default=0, ge=0)
    keep_daily: int = Field(default=0, ge=0)
    keep_weekly: int = Field(default=0, ge=0)
    keep_monthly: int = Field(default=0, ge=0)
    prune_grace: str = "24h"
    keyring_grace: str = "14d"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """See BaseSettings."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def load_root_key(self) -> RootKey:
        """Return the root key; see infra.keys.root_key for what may be wrong with it."""
        if self.root_key is not None:
            return EnvironmentRootKey(self.root_key.get_secret_value())
        return FileRootKey.load(self.root_key_file)

    def pending_root_key(self) -> RootKey | None:
        """Return the root key of a change that was begun and not finished, if there is one beside the file."""
        return None if self.root_key is not None else RootKeyChange(self.root_key_file).pending()


def load(**flags: object) -> Settings:
    """Return the settings; a flag that is None was not given. Raises Usage that names every key that is wrong."""
    try:
        if "root_key" in TomlConfigSettingsSource(Settings)():
            raise Usage(f"{FILE} holds root_key: a key does not belong there, name its file with root_key_file")
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]  # checked there
    except tomllib.TOMLDecodeError as error:
        raise Usage(f"{FILE} is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise Usage(f"{FILE} is not UTF-8") from None
    except OSError as error:
        raise Unavailable(f"{FILE} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        unknown = [str(e["loc"][0]) for e in problems if e["type"] == "extra_forbidden"]
        if unknown:
            known = ", ".join(name for name in Settings.model_fields if name != "root_key")
            raise Usage(f"{FILE} holds the unknown key {', '.join(unknown)}: known are {known}") from None
        raise Usage("; ".join(f"setting {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problems)) from None
