# SPDX-License-Identifier: Apache-2.0
"""Options of a grounding, by keyword: the fields of GroundOptions in the proto, which has units, ranges and defaults.

Enumerated values are written in lower case without their prefix: method="object_dino_cut", outputs={"objects"}. An
option that is not given is the server's default.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypedDict

from google.protobuf.descriptor import EnumDescriptor

from objectdino._proto import grounding_service_pb2 as pb
from objectdino.errors import FieldError, InvalidArgument

Output = Literal["objects", "objectness", "pixel_masks", "patch_embeddings", "heads"]


class GroundOptions(TypedDict, total=False):
    outputs: Collection[Output]  # default: objects and objectness
    max_objects: int
    min_score: float
    min_patches: int
    method: Literal["object_dino", "object_dino_cut", "object_dino_paper", "tokencut", "lost", "cls_attention"]
    head_selection: Literal["clustered", "preset"]
    clusters: int
    seed: int
    input_size: int
    resize_mode: Literal["square", "aspect"]
    embedding_dtype: Literal["f32", "f16", "bf16"]
    object_patches_only: bool
    affinity_threshold: float
    allow_truncated: bool
    components: Collection[Literal["query", "key", "value"]]
    layer_scope: Literal["all", "last_layer"]
    temperature: float
    mask_refinement: Literal["none", "edge_aware"]
    mask_format: Literal["coco_rle", "png"]
    embedding_source: Literal["final_layer", "object_heads"]
    proposals: bool
    mirror: bool


_FIELDS = {field.name: field for field in pb.GroundOptions.DESCRIPTOR.fields if field.message_type is None}


def invalid(field: str, message: str) -> InvalidArgument:
    path = f"options.{field}"
    return InvalidArgument(f"{path} {message}", fields=(FieldError(path, message),))


def to_proto(options: GroundOptions) -> pb.GroundOptions:
    """TypeError: an option that does not exist. InvalidArgument: a value of the wrong kind; ranges are the server's."""
    result = pb.GroundOptions()
    for name, value in options.items():
        field = _FIELDS.get(name)
        if field is None:
            raise TypeError(f"there is no option {name!r}; there are: {', '.join(_FIELDS)}")
        if value is None:
            continue
        if field.enum_type is not None:
            value = _enum(field.enum_type, name, value, isinstance(getattr(result, name), int))
        try:
            if isinstance(value, list):
                getattr(result, name).extend(value)
            else:
                setattr(result, name, value)
        except (TypeError, ValueError) as error:
            raise invalid(name, f"cannot be {value!r}: {error}") from error
    return result


def _enum(kind: Any, name: str, value: Any, is_single: bool) -> Any:
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    values = [value] if is_single or isinstance(value, str) else sorted(value)
    numbers = []
    for text in values:
        known = kind.values_by_name.get(f"{prefix}{str(text).upper()}")
        if known is None or known.number == 0:
            choices = [v.name.removeprefix(prefix).lower() for v in kind.values if v.number]
            raise invalid(name, f"cannot be {text!r}; choices: {', '.join(choices)}")
        numbers.append(known.number)
    return numbers[0] if is_single else numbers


def name_of(kind: EnumDescriptor, number: int) -> str:
    """The lower-case name of a value; of one that this version does not know: its number."""
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    known = kind.values_by_number.get(number)
    return known.name.removeprefix(prefix).lower() if known else str(number)
