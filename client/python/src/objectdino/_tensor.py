# SPDX-License-Identifier: Apache-2.0
"""Arrays of the wire: little-endian, row-major, no padding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from objectdino._proto import grounding_service_pb2 as pb
from objectdino.errors import BadAnswer

_DTYPES = {pb.DATA_TYPE_F32: "<f4", pb.DATA_TYPE_F16: "<f2", pb.DATA_TYPE_BF16: "<u2", pb.DATA_TYPE_U8: "u1"}


def to_numpy(tensor: pb.Tensor) -> npt.NDArray[Any]:
    """Read-only, and without a copy but for BF16, which NumPy lacks and which becomes float32."""
    dtype = _DTYPES.get(tensor.dtype)
    shape = tuple(tensor.shape)
    if dtype is None:
        raise BadAnswer(f"a tensor of unknown type {tensor.dtype}")
    if len(tensor.data) != math.prod(shape) * np.dtype(dtype).itemsize:
        raise BadAnswer(f"a tensor of shape {list(shape)} and type {dtype} holds {len(tensor.data)} bytes")
    values = np.frombuffer(tensor.data, dtype).reshape(shape)
    if tensor.dtype == pb.DATA_TYPE_BF16:
        # The upper half of a float32.
        values = (values.astype(np.uint32) << 16).view(np.float32)
        values.flags.writeable = False
    return values


def to_float32(tensor: pb.Tensor) -> npt.NDArray[np.float32]:
    values = to_numpy(tensor)
    if values.dtype != np.float32:
        values = values.astype(np.float32)
        values.flags.writeable = False
    return values


def from_numpy(values: npt.NDArray[Any], dtype: pb.DataType = pb.DATA_TYPE_F32) -> pb.Tensor:
    """F32 or F16."""
    return pb.Tensor(dtype=dtype, shape=values.shape, data=values.astype(_DTYPES[dtype]).tobytes())
