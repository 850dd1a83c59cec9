"""How deliveries and the lines of timelines are packed before they are stored."""

from typing import Final

from zstandard import FRAME_HEADER, ZstdCompressor, ZstdDecompressor, ZstdError

_PACK: Final = ZstdCompressor(level=1)
_UNPACK: Final = ZstdDecompressor()


def packed(data: bytes) -> bytes:
    """The same in a fifth of the space: zlib takes 2.5 times as long, 7 % of a delivery's time, for a fifth more."""
    return _PACK.compress(data)


def is_packed(data: bytes) -> bool:
    """Whether it is what `packed` gave."""
    return data.startswith(FRAME_HEADER)


def unpacked(data: bytes) -> bytes:
    """What `packed` was given, and what was never packed as it is; raises ValueError for what is damaged."""
    if not is_packed(data):
        return data
    try:
        return _UNPACK.decompress(data)
    except ZstdError as error:
        raise ValueError("this can't be unpacked") from error
