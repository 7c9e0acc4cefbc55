"""ClickHouse's own compression of insert bodies (`decompress=1`): a row of blocks, each

    16 bytes  CityHash128 of what follows (not verified: the body crossed the loopback only)
     1 byte   method: 0x82 LZ4, 0x02 stored
     4 bytes  size of the block from the method on, little endian
     4 bytes  size of the data once decompressed, little endian
     n bytes  the data
"""

import struct

import lz4.block

CHECKSUM_BYTES = 16
HEADER_BYTES = 9
LZ4 = 0x82
STORED = 0x02
BLOCK_BYTES_MAX = 1 << 30


class BadBlock(ValueError):
    """The body is not a row of whole, plausible blocks."""


def decoded(body: bytes) -> bytes:
    """The plain bytes of a compressed body."""
    plain = []
    at = 0
    while at < len(body):
        start = at + CHECKSUM_BYTES
        if start + HEADER_BYTES > len(body):
            raise BadBlock(f"expected a block of at least 25 bytes at offset {at}, got {len(body) - at}")
        method, packed, size = struct.unpack_from("<BII", body, start)
        end = start + packed
        if packed < HEADER_BYTES or end > len(body):
            raise BadBlock(f"the block at offset {at} says {packed} bytes, {len(body) - start} are there")
        if size > BLOCK_BYTES_MAX:
            raise BadBlock(f"the block at offset {at} would grow to {size} bytes, at most {BLOCK_BYTES_MAX} are taken")
        plain.append(_block(method, body[start + HEADER_BYTES : end], size))
        at = end
    return b"".join(plain)


def _block(method: int, data: bytes, size: int) -> bytes:
    if method == STORED:
        block = data
    elif method == LZ4:
        try:
            block = lz4.block.decompress(data, uncompressed_size=size)
        except lz4.block.LZ4BlockError as cause:
            raise BadBlock(f"LZ4: {cause}") from cause
    else:
        raise BadBlock(f"expected method 0x82 (LZ4) or 0x02 (stored), got {method:#04x}")
    if len(block) != size:
        raise BadBlock(f"expected {size} bytes in a block, got {len(block)}")
    return block
