"""Settings from the environment, with the configuration file they name: read once, checked whole, and frozen.

`load` is the only function that reads them. It raises `errors.ConfigError` with everything there is to mend; no message
ever shows the value of a secret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.config import Config, load_config, named_channels
from service.errors import ConfigError, Problem
from service.toml_problems import DEFAULT_CONFIG, did_you_mean, sentence, text_of

PREFIX: Final = "CRAFTY_"
_FILE: Final = "_FILE"
_NONE: Final = SecretStr("")
_STRAY = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in the environment that are no text (PEP 383); it can't be signed with or sent."""


@dataclass(frozen=True)
class AccessToken:
    """What somebody shows to use the admin API. name: who they are in the audit log."""

    name: str
    token: str = field(repr=False)


_GATEWAY: Final = "api.atlassian.com"
"""Where the Cloud takes scoped tokens; it shows no page to people."""

_NO_ADDRESS: Final = "should be an address with a scheme, a host and perhaps a port"


def _http_url(value: str) -> str:
    parts = _split(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or " " in value:
        raise ValueError("should be an address that starts with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("should have no user name or password in it; tokens have variables of their own")
    if parts.query or parts.fragment:
        raise ValueError('should end before any "?" or "#"')
    return value.rstrip("/")


def _split(value: str) -> SplitResult:
    """The parts of an address; ValueError without the address itself, which may hold a password."""
    try:
        parts = urlsplit(value)
        is_address = value.isprintable() and (parts.scheme == "redis+sentinel" or parts.port != 0)
    except ValueError:
        raise ValueError(_NO_ADDRESS) from None
    if not is_address:
        raise ValueError(_NO_ADDRESS)
    return parts


HttpUrl = Annotated[str, AfterValidator(_http_url)]
"""An http or https address without a slash at its end."""


def _redis_url(value: SecretStr) -> SecretStr:
    parts = _split(value.get_secret_value())
    is_whole = {
        "": not value,
        "redis": bool(parts.hostname),
        "rediss": bool(parts.hostname),
        "unix": bool(parts.path),
        "redis+sentinel": bool(parts.netloc and parts.path.strip("/")),
    }
    if not is_whole.get(parts.scheme):
        raise ValueError(
            "should look like redis://host:6379/0, rediss://host:6379/0, unix:///path/to/socket "
            "or redis+sentinel://host1:26379,host2:26379/service/0"
        )
    return value


def _each(secret: SecretStr) -> tuple[str, ...]:
    """The parts of a comma-separated secret, without blank ones."""
    return tuple(part.strip() for part in secret.get_secret_value().split(",") if part.strip())


def _access_tokens(secret: SecretStr) -> tuple[AccessToken, ...]:
    pairs = [tuple(text.strip() for text in pair.partition(":")) for pair in _each(secret)]
    for number, (name, _, token) in enumerate(pairs, 1):
        if not name or not token:
            raise ValueError(f'should be "name:token" pairs, separated by commas; number {number} is not one')
    if len({token for _, _, token in pairs}) < len(pairs):
        raise ValueError("should give each person a token of their own; two are the same")
    return tuple(AccessToken(name, token) for name, _, token in pairs)


def _checked_tokens(secret: SecretStr) -> SecretStr:
    _access_tokens(secret)
    return secret


def _channel_addresses(secret: SecretStr) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in secret.get_secret_value().split()]
    for number, (name, _, address) in enumerate(pairs, 1):
        if not _CHANNEL_NAME.fullmatch(name) or not address:
            raise ValueError(f'should be "name=address" pairs, separated by spaces; number {number} is not one')
    if len({name for name, _, _ in pairs}) < len(pairs):
        raise ValueError("should give each address a name of its own; two are the same")
    return {name: address for name, _, address in pairs}


def _checked_channels(secret: SecretStr) -> SecretStr:
    for name, address in _channel_addresses(secret).items():
        try:
            from service.clients import channels  # noqa: PLC0415 - an extra

            channels.opened(address)
        except ImportError:
            raise ValueError("needs more than is installed: pip install 'crafty[channels]'") from None
        except ValueError as problem:
            raise ValueError(f"{name} {problem}") from None
    return secret


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


_CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
ChannelAddresses = Annotated[SecretStr, AfterValidator(_checked_channels)]
AccessTokens = Annotated[SecretStr, AfterValidator(_checked_tokens)]
LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)]


class Settings(BaseSettings):
    """Everything the environment decides, with the configuration file's content; `load` makes it.

    A secret that is not set is empty, and so false. Times and places are not read here: `load` is given them.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    config: Config = Field(Config(), repr=False, description="The path of the domain's TOML file.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 lets the system choose.")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="A port for /metrics alone; without one it is beside the rest."
    )
    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        _NONE, description="Redis by redis://, rediss://, unix:// or redis+sentinel://; the embedded one when not set."
    )
    data_dir: Path = Field(Path(".crafty"), description="Where the embedded Redis keeps its data.")
    max_body_bytes: int = Field(5 * 1024 * 1024, ge=1, description="The largest delivery that is accepted, in bytes.")

    jira_url: HttpUrl | None = Field(None, description="Jira's address, such as https://example.atlassian.net.")
    jira_api_url: HttpUrl | None = Field(
        None, description="Where Jira's REST is, unless at its address; for scoped tokens of the Cloud."
    )
    jira_kind: Literal["cloud", "datacenter"] = Field("cloud", description="Which Jira it is: cloud or datacenter.")
    jira_email: str | None = Field(None, repr=False, description="The account whose API token it is; Jira Cloud only.")
    jira_token: SecretStr = Field(_NONE, description="Jira Cloud's API token, or Data Center's personal access token.")
    jira_webhook_secret: SecretStr = Field(_NONE, description="What Jira signs deliveries with; several by commas.")
    jira_webhook_token: SecretStr = Field(
        _NONE, description="For a Jira that can't sign: the token in the webhook's address; several by commas."
    )

    discourse_url: HttpUrl | None = Field(None, description="The forum's address.")
    discourse_api_key: SecretStr = Field(_NONE, description="The forum's API key.")
    discourse_api_username: str | None = Field(None, description="The forum user that Crafty writes as.")
    discourse_webhook_secret: SecretStr = Field(
        _NONE, description="What the forum signs deliveries with; several by commas."
    )

    mattermost_url: HttpUrl | None = Field(None, description="The chat's address.")
    mattermost_token: SecretStr = Field(_NONE, description="The access token of Crafty's bot account in the chat.")

    channels: ChannelAddresses = Field(
        _NONE, description="Where else messages may go: name=address pairs, by spaces; addresses of apprise, an extra."
    )

    github_url: HttpUrl = Field("https://api.github.com", description="GitHub's REST API.")
    github_token: SecretStr = Field(_NONE, description="GitHub's access token.")
    github_webhook_secret: SecretStr = Field(_NONE, description="What GitHub signs deliveries with; several by commas.")

    gitlab_url: HttpUrl = Field("https://gitlab.com", description="GitLab's address.")
    gitlab_token: SecretStr = Field(_NONE, description="GitLab's access token.")
    gitlab_webhook_secret: SecretStr = Field(_NONE, description="The token GitLab sends along; several by commas.")

    admin_tokens: AccessTokens = Field(_NONE, description="Who may change things: name:token pairs, by commas.")
    viewer_tokens: AccessTokens = Field(_NONE, description="Who may look at things: name:token pairs, by commas.")

    log_format: Literal["json", "console"] = Field("json", description="How logs are written: json or console.")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL.")

    otlp_url: HttpUrl | None = Field(None, description="Where OpenTelemetry traces go, by OTLP over HTTP; an extra.")
    sentry_dsn: SecretStr = Field(_NONE, description="Where Sentry takes errors; an extra.")

    @field_validator("jira_url")
    @classmethod
    def _is_where_people_go(cls, value: str | None) -> str | None:
        if value and _split(value).hostname == _GATEWAY:
            mend = f"this one belongs into {variable_of('jira_api_url')}"
            raise ValueError(f"should be the address that people open, such as https://example.atlassian.net; {mend}")
        return value

    @field_validator("viewer_tokens")
    @classmethod
    def _has_own_tokens(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        taken = {admin.token for admin in _access_tokens(info.data.get("admin_tokens", _NONE))}
        if taken & {viewer.token for viewer in _access_tokens(value)}:
            raise ValueError(f"should not repeat a token of {variable_of('admin_tokens')}")
        return value

    @classmethod
    def settings_customise_sources(  # type: ignore[override] # the other sources are not wanted, whatever their names
        cls, _: type[BaseSettings], init_settings: PydanticBaseSettingsSource, **_others: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed in counts: `load` is given the environment, as other functions are given the clock."""
        return (init_settings,)

    @property
    def jira_webhook_secrets(self) -> tuple[str, ...]:
        """Each key that a delivery from Jira may be signed with."""
        return _each(self.jira_webhook_secret)

    @property
    def jira_webhook_tokens(self) -> tuple[str, ...]:
        """Each token that a delivery from a Jira that can't sign may bring."""
        return _each(self.jira_webhook_token)

    @property
    def discourse_webhook_secrets(self) -> tuple[str, ...]:
        """Each key that a delivery from the forum may be signed with."""
        return _each(self.discourse_webhook_secret)

    @property
    def github_webhook_secrets(self) -> tuple[str, ...]:
        """Each key that a delivery from GitHub may be signed with."""
        return _each(self.github_webhook_secret)

    @property
    def gitlab_webhook_secrets(self) -> tuple[str, ...]:
        """Each token that a delivery from GitLab may bring."""
        return _each(self.gitlab_webhook_secret)

    @property
    def admins(self) -> tuple[AccessToken, ...]:
        """Who may read and change."""
        return _access_tokens(self.admin_tokens)

    @property
    def viewers(self) -> tuple[AccessToken, ...]:
        """Who may read."""
        return _access_tokens(self.viewer_tokens)

    @property
    def channel_addresses(self) -> dict[str, str]:
        """The addresses besides Mattermost that messages may go to, by name."""
        return _channel_addresses(self.channels)

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every secret in clear, each part of a list on its own, for the log to hide."""
        secrets = [getattr(self, name) for name in _SECRETS if name not in {"redis_url", "channels"}]
        password = _split(self.redis_url.get_secret_value()).password or ""
        people = [access.token for access in (*self.admins, *self.viewers)]
        places = [*self.channel_addresses.values(), *_hidden_parts(self.channel_addresses.values())]
        whole = (secret.get_secret_value() for secret in secrets)
        parts = chain.from_iterable(_each(secret) for secret in secrets)
        every = (*whole, *parts, *people, *places, password, unquote(password))
        return tuple(dict.fromkeys(text for text in every if text))


def _hidden_parts(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        from service.clients import channels  # noqa: PLC0415 - an extra

        yield from channels.hidden_parts(address)


def variable_of(field_name: str) -> str:
    """The environment variable that sets a field of Settings."""
    return f"{PREFIX}{field_name.upper()}"


VARIABLES: Final[Mapping[str, str]] = MappingProxyType({variable_of(name): name for name in Settings.model_fields})
"""Every variable, and the field of Settings that it sets."""

_SECRETS: Final = [name for name, info in Settings.model_fields.items() if info.annotation is SecretStr]

SECRET_FILES: Final[Mapping[str, str]] = MappingProxyType({variable_of(name) + _FILE: name for name in _SECRETS})
"""Every variable that names a file with a secret, and the field of Settings that it sets."""


def load(environ: Mapping[str, str], directory: Path) -> Settings:
    """The settings, from environment variables, `.env` in that directory, and the configuration file they name.

    The environment wins over `.env`; a variable that is set to nothing counts as not set. Relative paths start at
    `directory`. ConfigError lists every problem of the environment and of the file.
    """
    problems: list[Problem] = []
    values = _layer(_dotenv(directory / ".env", problems), directory, problems)
    values |= _layer(environ, directory, problems)
    given: dict[str, Any] = {name: value for name, value in values.items() if value}
    given["config"] = _named_config(given.pop("config", ""), directory, problems)
    given["data_dir"] = directory / given.get("data_dir", Settings.model_fields["data_dir"].default)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigError(*problems, *_variable_problems(error)) from None
    problems += _unknown_channels(settings)
    if problems:
        raise ConfigError(*problems)
    return settings


def _dotenv(path: Path, problems: list[Problem]) -> dict[str, str]:
    """The variables of an `.env` file, as they stand there; none where there is no file."""
    if not path.is_file():
        return {}
    try:
        text = text_of(path, path.name)
    except ConfigError as error:
        problems += error.problems
        return {}
    return {name: value or "" for name, value in dotenv_values(stream=StringIO(text), interpolate=False).items()}


def _layer(variables: Mapping[str, str], directory: Path, problems: list[Problem]) -> dict[str, str]:
    """What one place sets, by field; secrets are read from the files that are named for them."""
    ours = {name: value.strip() for name, value in variables.items() if name.startswith(PREFIX)}
    problems += [_unknown_variable(name) for name in ours if name not in VARIABLES and name not in SECRET_FILES]
    problems += [Problem(name, "", "is not UTF-8 text; set it again") for name in ours if _STRAY.search(ours[name])]
    values = {VARIABLES[name]: value for name, value in ours.items() if name in VARIABLES}
    for name in (name for name, path in ours.items() if path and name in SECRET_FILES):
        try:
            secret = text_of(directory / ours[name], name).strip()
        except ConfigError as error:
            problems += error.problems
            continue
        if values.get(SECRET_FILES[name]):
            problems.append(Problem(name, "", f"is set beside {name.removesuffix(_FILE)}; keep one of the two"))
        values[SECRET_FILES[name]] = secret
    return values


def _unknown_variable(name: str) -> Problem:
    return Problem(name, "", f"is not a variable of Crafty's{did_you_mean(name, [*VARIABLES, *SECRET_FILES], PREFIX)}")


def _variable_problems(error: ValidationError) -> Iterator[Problem]:
    for details in error.errors(include_url=False, include_input=False):
        yield Problem(variable_of(str(details["loc"][0])), "", sentence(details, ()))


def _unknown_channels(settings: Settings) -> Iterator[Problem]:
    config, known = settings.config, settings.channel_addresses
    for path, name in named_channels(config):
        if name not in known:
            what = f'{variable_of("channels")} has no address named "{name}"{did_you_mean(name, known)}'
            yield config.source.problem(path, what)


def _named_config(name: str, directory: Path, problems: list[Problem]) -> Config:
    """The file that CRAFTY_CONFIG names, else crafty.toml where there is one, else an empty configuration."""
    path = directory / (name or DEFAULT_CONFIG)
    if not path.is_file():
        problems += [Problem(variable_of("config"), "", f"names {path}, but there is no such file")] if name else []
        return Config()
    try:
        return load_config(path)
    except ConfigError as error:
        problems += error.problems
        return Config()
