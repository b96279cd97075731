# SPDX-License-Identifier: Apache-2.0
"""What dual-branch decoding costs, as a multiple of one branch: python tests/python/mllm/bench_dual_branch.py

All ways are timed in turn in each round, and each is divided by the single branch of its own round, so that a busy machine
hits all alike. Random models, one thread, greedy, a fixed number of tokens.
"""
import argparse
import statistics
import time

from tiny_models import FAMILIES, picture, tiny  # first: sets the environment

import uncached_reference
from objectdino.generation import ANSWER, DualBranchLogitsProcessor, dual_branch_generate, prepare_inputs
from objectdino.generation.inputs import prompt_text

SIZES = {"tiny": {}, "512 wide, 8 layers": {"hidden_size": 512, "intermediate_size": 1376, "num_hidden_layers": 8,
                                            "num_attention_heads": 8, "num_key_value_heads": 8, "initializer_range": 0.05}}
QUESTION, IMAGE, HIGHLIGHTED = "is there a dog ?", picture(1), picture(2)


def ways(model, processor, tokens):
    """{name: what to time}; all answer from the image and the question on, as a caller does."""
    def inputs(branch):
        image, text = (IMAGE, HIGHLIGHTED)[branch], ANSWER.fill(QUESTION)[branch]
        return prepare_inputs(model, processor, image, prompt_text(model, processor, text))

    def dual(**options):
        dual_branch_generate(model, processor, IMAGE, QUESTION, HIGHLIGHTED, max_new_tokens=tokens, eos_token_id=None, **options)

    def plain(**options):
        model.generate(**inputs(0), max_new_tokens=tokens, do_sample=False, eos_token_id=None, **options)

    return {
        "single branch": plain,
        "batch of two": dual,
        "one after the other": lambda: dual(batched=False),
        "logits processor": lambda: plain(logits_processor=[DualBranchLogitsProcessor(model, inputs(1))]),
        "without caches, as published": lambda: uncached_reference.decode(model, inputs(0), inputs(1), tokens, ends=()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(f"{options.tokens} tokens, {options.rounds} rounds; median of the ratios to the single branch [least, most]")
    for size, text in SIZES.items():
        for family in FAMILIES if size == "tiny" else ("llava",):
            timed = ways(*tiny(family, **text), options.tokens)
            seconds = {name: [] for name in timed}
            for number in range(options.rounds + 1):  # the first one warms up
                for name, call in timed.items():
                    start = time.perf_counter()
                    call()
                    if number > 0:
                        seconds[name].append(time.perf_counter() - start)
            print(f"{family}, {size}: single branch {1000 * statistics.median(seconds['single branch']):.0f} ms")
            for name, values in list(seconds.items())[1:]:
                ratios = [value / base for value, base in zip(values, seconds["single branch"], strict=True)]
                print(f"  {name:30} {statistics.median(ratios):5.2f}  [{min(ratios):.2f}, {max(ratios):.2f}]")


if __name__ == "__main__":
    main()
