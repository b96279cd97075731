# SPDX-License-Identifier: Apache-2.0
"""COCO compressed run-length encoding of binary masks, byte-identical to pycocotools.

Runs go down the columns and start with the run of zeros. Each count is stored as its difference from the count two
before it, in groups of five bits, least first, offset by 48; the sixth bit says that more follow. No loop over pixels
or runs but one over the groups of the longest number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_OFFSET, _BITS, _MORE, _SIGN, _VALUE = 48, 5, 0x20, 0x10, 0x1F
_MAX_GROUPS = 7  # 35 bits: more than any difference of two 31-bit counts
_MAX_PIXELS = 2**31 - 1


def decode(counts: bytes, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The mask, bool [height, width]. Safe on any bytes: ValueError where they are no encoding of this size."""
    pixels = height * width
    if height < 0 or width < 0 or pixels > _MAX_PIXELS:
        raise ValueError(f"RLE: size {height} x {width}")
    runs = _decode_runs(counts)
    if runs.size and (runs.min() < 0 or runs.max() > pixels):
        raise ValueError(f"RLE: a run does not fit {height} x {width}")
    if int(runs.sum()) != pixels:
        raise ValueError(f"RLE: runs sum to {int(runs.sum())}, not to {height} x {width}")
    inside = np.zeros(runs.size, dtype=np.bool_)
    inside[1::2] = True
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def _decode_runs(counts: bytes) -> npt.NDArray[np.int64]:
    groups = np.frombuffer(counts, dtype=np.uint8).astype(np.int64) - _OFFSET
    if groups.size == 0:
        return groups
    if groups.min() < 0 or groups.max() > (_MORE | _VALUE):
        raise ValueError("RLE: a character that does not belong there")
    last = np.flatnonzero(groups & _MORE == 0)  # of each number
    if last.size == 0 or last[-1] != groups.size - 1:
        raise ValueError("RLE: ends inside a number")
    first = np.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    if length.max() > _MAX_GROUPS:
        raise ValueError("RLE: a number is too long")
    place = np.arange(groups.size) - np.repeat(first, length)
    numbers = np.add.reduceat((groups & _VALUE) << (_BITS * place), first)
    numbers -= np.where(groups[last] & _SIGN, np.int64(1) << (_BITS * length), 0)
    # The first three counts are themselves, the others differences from the count two before: two interleaved sums.
    runs = numbers.copy()
    runs[1::2] = np.cumsum(numbers[1::2])
    runs[2::2] = np.cumsum(numbers[2::2])
    return runs


def encode(mask: npt.ArrayLike) -> bytes:
    """Inverse of decode, of any array [height, width]: not 0 = inside."""
    inside = np.asarray(mask) != 0
    if inside.ndim != 2:
        raise ValueError(f"a mask is [height, width], not of shape {inside.shape}")
    flat = inside.T.ravel()  # down the columns
    changes = np.flatnonzero(np.diff(flat)) + 1
    starts = np.concatenate(([0], changes)) if not (flat.size and flat[0]) else np.concatenate(([0, 0], changes))
    runs = np.diff(np.concatenate((starts, [flat.size]))).astype(np.int64)
    numbers = runs.copy()
    numbers[3:] -= runs[1:-2]
    return _encode_numbers(numbers)


def _encode_numbers(numbers: npt.NDArray[np.int64]) -> bytes:
    characters = np.full((numbers.size, _MAX_GROUPS), -1, dtype=np.int64)
    active = np.ones(numbers.size, dtype=np.bool_)
    for group in range(_MAX_GROUPS):
        value = numbers & _VALUE
        numbers = numbers >> _BITS
        more = np.where(value & _SIGN, numbers != -1, numbers != 0)
        characters[active, group] = (value | np.where(more, _MORE, 0))[active] + _OFFSET
        active &= more
    flat = characters.ravel()
    return flat[flat >= 0].astype(np.uint8).tobytes()


def to_dict(counts: bytes, height: int, width: int) -> dict[str, Any]:
    """What pycocotools calls an RLE."""
    return {"size": [height, width], "counts": counts}
