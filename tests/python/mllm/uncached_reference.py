# SPDX-License-Identifier: Apache-2.0
"""Dual-branch decoding as published: two whole forward passes for every token, without caches, padding or batches."""
import torch


def blend(original, highlighted, alpha, beta, mode):
    """One row of logits each; written with probabilities, token by token."""
    p = torch.softmax(original.double(), -1)
    out = torch.empty_like(p)
    for token in range(len(p)):
        o, h = float(original[token]), float(highlighted[token])
        value = {"interpolate": alpha * o + (1 - alpha) * h, "contrast": h + alpha * (h - o), "additive": o + alpha * h}[mode]
        out[token] = value if p[token] >= beta * p.max() else -torch.inf
    return out


def forward(model, inputs, tokens):
    """Logits of the token after the prompt and `tokens`, from a whole pass."""
    ids = torch.cat([inputs["input_ids"], torch.tensor([tokens], dtype=torch.long)], dim=1)
    if hasattr(model.base_model, "rope_deltas"):
        model.base_model.rope_deltas = None
    with torch.no_grad():
        inputs = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        return model(**inputs, use_cache=False).logits[0, -1].float()


def decode(model, original, highlighted, steps, *, alpha=0.4, beta=0.1, mode="interpolate", ends=(2,)):
    """Greedy: (tokens, blended logits [T, V])."""
    tokens, rows = [], []
    while len(tokens) < steps and not (tokens and tokens[-1] in ends):
        rows.append(blend(forward(model, original, tokens), forward(model, highlighted, tokens), alpha, beta, mode))
        tokens.append(int(rows[-1].argmax()))
    return tokens, torch.stack(rows)
