# SPDX-License-Identifier: Apache-2.0
"""Dual-branch decoding with Hugging Face models: the logits of the photograph and of its highlighted copy are
blended at every token, each branch with its KV cache. Needs the extra `hf` (torch, transformers); docs/grounding.md
is the guide."""

try:
    import torch as _torch  # noqa: F401
    import transformers as _transformers  # noqa: F401
except ImportError as error:
    raise ImportError(f"objectdino.generation needs the extra hf: pip install 'objectdino[hf]' ({error})") from error

from objectdino.generation.blend import blend_logits
from objectdino.generation.dual_branch import DualBranchResult, dual_branch_generate
from objectdino.generation.inputs import prepare_inputs
from objectdino.generation.processor import DualBranchLogitsProcessor
from objectdino.guidance import ANSWER, DESCRIBE, GroundingUnavailableWarning, PromptPair

__all__ = [
    "ANSWER",
    "DESCRIBE",
    "DualBranchLogitsProcessor",
    "DualBranchResult",
    "GroundingUnavailableWarning",
    "PromptPair",
    "blend_logits",
    "dual_branch_generate",
    "prepare_inputs",
]
