"""What a run of the fuzzer has seen."""

import msgspec


class Ran(msgspec.Struct):
    """One source's run.

    accepted: how many were answered with 202, the others being rejected as they should; seconds: of the clock; slowest:
    CPU seconds of one execution; grown: by how many bytes the process was ever larger than after its first executions;
    found: the file of a delivery for each failure, by what failed.
    """

    source: str
    executions: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    grown: int = 0
    found: dict[str, str] = {}
