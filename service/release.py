"""Which Crafty this is."""

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The version as it was installed; "dev" where it runs without having been."""
    try:
        return version("crafty")
    except PackageNotFoundError:
        return "dev"
