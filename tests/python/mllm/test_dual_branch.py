# SPDX-License-Identifier: Apache-2.0
"""Dual-branch decoding on tiny random models of three families, against the published way of doing it: whole forward
passes, one after the other (uncached_reference.py)."""
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)  # a CUDA build needs CUDA's libraries
from tiny_models import FAMILIES, VOCABULARY, picture, tiny  # noqa: E402  first: sets the environment

import transformers  # noqa: E402

import uncached_reference as reference  # noqa: E402
from objectdino import errors  # noqa: E402
from objectdino.generation import (  # noqa: E402
    ANSWER, DESCRIBE, DualBranchLogitsProcessor, GroundingUnavailableWarning, blend_logits, dual_branch_generate,
    prepare_inputs)
from objectdino.generation.inputs import prompt_text  # noqa: E402

IMAGE, HIGHLIGHTED, QUESTION, STEPS = picture(1), picture(2), "is there a dog ?", 12
TOLERANCE = 1e-4  # of logits of up to 30


@pytest.fixture(scope="module")
def loaded():
    return {family: tiny(family) for family in FAMILIES}


def both_inputs(model, processor, prompts=ANSWER, highlighted=HIGHLIGHTED):
    texts = prompts.fill(QUESTION)
    return [prepare_inputs(model, processor, image, prompt_text(model, processor, text))
            for image, text in zip((IMAGE, highlighted), texts)]


def generate(model, processor, *, grounding=HIGHLIGHTED, question=QUESTION, **options):
    options = {"max_new_tokens": STEPS, **options}
    return dual_branch_generate(model, processor, IMAGE, question, grounding, **options)


def plain(model, inputs, **options):
    options = {"max_new_tokens": STEPS, "do_sample": False, **options}
    tokens = model.generate(**inputs, **options)[0].tolist()
    prompt = inputs["input_ids"].shape[1]
    return tuple(tokens[prompt:] if tokens[:prompt] == inputs["input_ids"][0].tolist() else tokens)


def assert_logits_equal(actual, expected):
    finite = torch.isfinite(expected)
    assert torch.equal(torch.isfinite(actual), finite)
    assert (actual - expected)[finite].abs().max() < TOLERANCE


# ---------------------------------------------------------------- against the reference

@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_caches_change_no_logits(loaded, family, batched):
    model, processor = loaded[family]
    original, highlighted = both_inputs(model, processor)
    assert original["input_ids"].shape[1] < highlighted["input_ids"].shape[1], "no padding to test"
    tokens, logits = reference.decode(model, original, highlighted, STEPS)
    result = generate(model, processor, batched=batched, return_logits=True)
    assert list(result.token_ids) == tokens and len(set(tokens)) > 5
    assert_logits_equal(result.logits, logits)
    assert (result.branches, result.degraded) == (2, "")
    assert result.prompts == ANSWER.fill(QUESTION)


@pytest.mark.parametrize("blend, alpha, beta", [("interpolate", 0.4, 0), ("interpolate", 0, 0.5), ("contrast", 0.7, 0.1),
                                                ("additive", 1.5, 0.02), ("interpolate", 0.9, 1)])
def test_every_blend_equals_the_reference(loaded, blend, alpha, beta):
    model, processor = loaded["qwen2_vl"]
    tokens, logits = reference.decode(model, *both_inputs(model, processor), STEPS, alpha=alpha, beta=beta, mode=blend)
    result = generate(model, processor, blend=blend, alpha=alpha, beta=beta, return_logits=True)
    assert list(result.token_ids) == tokens
    assert_logits_equal(result.logits, logits)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_processor_in_generate_does_the_same(loaded, family):
    model, processor = loaded[family]
    original, highlighted = both_inputs(model, processor)
    blended = DualBranchLogitsProcessor(model, highlighted)
    assert plain(model, original, logits_processor=[blended]) == generate(model, processor).token_ids
    assert plain(model, original) != generate(model, processor).token_ids


def test_the_processor_takes_batches(loaded):
    model, processor = loaded["llava"]
    inputs = both_inputs(model, processor)
    twice = [{name: torch.cat([value, value]) for name, value in one.items()} for one in inputs]
    twice[1]["pixel_values"][1] = twice[0]["pixel_values"][1]  # another highlighted image for the second row
    rows = model.generate(**twice[0], max_new_tokens=STEPS, do_sample=False,
                          logits_processor=[DualBranchLogitsProcessor(model, twice[1])])
    width = inputs[0]["input_ids"].shape[1]
    expected = [reference.decode(model, inputs[0], {**inputs[1], "pixel_values": pixels}, STEPS)[0]
                for pixels in (inputs[1]["pixel_values"], inputs[0]["pixel_values"])]
    assert expected[0] != expected[1]
    for row, tokens in zip(rows[:, width:].tolist(), expected):
        assert row[:len(tokens)] == tokens


# ---------------------------------------------------------------- plain generate

@pytest.mark.parametrize("family", FAMILIES)
def test_alpha_1_is_plain_generate(loaded, family):
    model, processor = loaded[family]
    original, _ = both_inputs(model, processor)
    endless = {"eos_token_id": None}
    expected = plain(model, original, **endless)
    assert len(expected) == STEPS and len(set(expected)) > 2
    for batched in (True, False):
        assert generate(model, processor, alpha=1, batched=batched, **endless).token_ids == expected
    assert generate(model, processor, grounding=None, **endless).token_ids == expected
    options = {"do_sample": True, "temperature": 3.0, "top_p": 0.9, **endless}
    torch.manual_seed(11)
    sampled = plain(model, original, **options)
    torch.manual_seed(11)
    assert generate(model, processor, alpha=1, beta=0, **options).token_ids == sampled != expected


@pytest.mark.parametrize("family", FAMILIES)
def test_options_of_generate_work_and_padding_is_no_token(loaded, family):
    """Padding and end of sequence are often one token: were the padding of a row penalised, its text would not end."""
    model, processor = loaded[family]
    tokens = generate(model, processor, repetition_penalty=3.0, eos_token_id=None).token_ids
    assert tokens != generate(model, processor, eos_token_id=None).token_ids
    prompts = torch.cat([inputs["input_ids"][0] for inputs in both_inputs(model, processor)]).tolist()
    end = next(token for place, token in enumerate(tokens) if token not in prompts and token not in tokens[:place])
    for batched in (True, False):
        ended = generate(model, processor, repetition_penalty=3.0, eos_token_id=end, pad_token_id=end, batched=batched)
        assert ended.token_ids == tokens[:tokens.index(end) + 1]
    original, _ = both_inputs(model, processor)
    penalised = {"repetition_penalty": 3.0}
    assert generate(model, processor, alpha=1, beta=0, **penalised).token_ids == plain(model, original, **penalised)
    end = plain(model, original)[0]  # the only plausible token is one that may not come yet
    options = {"eos_token_id": end, "min_new_tokens": 3}
    assert generate(model, processor, alpha=1, beta=1, **options).token_ids[:3] == plain(model, original, **options)[:3]


def test_the_text_ends_where_the_blended_distribution_ends_it(loaded):
    for model, processor in loaded.values():
        original, highlighted = both_inputs(model, processor)
        tokens, _ = reference.decode(model, original, highlighted, STEPS, ends=())
        alone = [plain(model, inputs, eos_token_id=None) for inputs in (original, highlighted)]
        end = next(token for place, token in enumerate(tokens)
                   if place >= 2 and tokens.index(token) == place and token not in (alone[0][place], alone[1][place]))
        for batched in (True, False):
            result = generate(model, processor, batched=batched, eos_token_id=[end, 2])
            assert list(result.token_ids) == tokens[:tokens.index(end) + 1]
            assert result.finished
        assert not generate(model, processor, eos_token_id=None).finished


# ---------------------------------------------------------------- Qwen's positions

def test_rope_deltas_of_branches_with_other_images(loaded):
    """The second image is larger, so that positions behind it differ from those of the first branch."""
    model, processor = loaded["qwen2_vl"]
    original, highlighted = both_inputs(model, processor, highlighted=picture(2, 112, 84))
    assert original["image_grid_thw"].tolist() != highlighted["image_grid_thw"].tolist()
    tokens, _ = reference.decode(model, original, highlighted, STEPS)
    assert list(plain(model, original, logits_processor=[DualBranchLogitsProcessor(model, highlighted)])) == tokens


def test_interleaved_generations_leave_each_other_alone(loaded):
    model, processor = loaded["qwen2_vl"]
    large = prepare_inputs(model, processor, picture(5, 112, 84), prompt_text(model, processor, "describe this image"))
    alone, guided = plain(model, large), generate(model, processor).token_ids

    class Interrupting:  # between two tokens of the guided answer
        seen = []

        def put(self, token):
            self.seen.append(plain(model, large))

        def end(self):
            pass

    for batched in (True, False):
        assert generate(model, processor, batched=batched, streamer=Interrupting()).token_ids == guided
    assert set(Interrupting.seen) == {alone} and len(Interrupting.seen) == 2 * len(guided)

    class Guiding(transformers.LogitsProcessor):  # between two tokens of the plain one
        def __call__(self, input_ids, scores):
            assert generate(model, processor, max_new_tokens=2).token_ids == guided[:2]
            return scores

    assert plain(model, large, logits_processor=[Guiding()]) == alone


# ---------------------------------------------------------------- what is refused

@pytest.mark.parametrize("options, word", [
    ({"num_beams": 2}, "beam"), ({"num_return_sequences": 2}, "num_return_sequences"), ({"assistant_model": 1}, "assisted"),
    ({"prompt_lookup_num_tokens": 3}, "assisted"), ({"use_cache": False}, "use_cache"), ({"max_new_tokens": 0}, "at least 1"),
    ({"alpha": 1.1}, "alpha"), ({"alpha": -1, "blend": "contrast"}, "alpha"), ({"beta": 2}, "beta"), ({"blend": "mix"}, "mix"),
    ({"alpha": float("nan")}, "alpha"), ({"question": None, "prompts": ANSWER}, "question")])
def test_wrong_options_are_refused(loaded, options, word):
    with pytest.raises(ValueError, match=word):
        generate(*loaded["llava"], **options)


def test_the_processor_refuses_beams_assistants_and_reuse(loaded):
    model, processor = loaded["llava"]
    original, highlighted = both_inputs(model, processor)
    with pytest.raises(ValueError, match="beam search"):
        plain(model, original, num_beams=2, logits_processor=[DualBranchLogitsProcessor(model, highlighted)])
    with pytest.raises(ValueError, match="assisted"):
        plain(model, original, assistant_model=model, logits_processor=[DualBranchLogitsProcessor(model, highlighted)])
    used = DualBranchLogitsProcessor(model, highlighted)
    plain(model, original, logits_processor=[used])
    with pytest.raises(ValueError, match="of its own"):
        plain(model, original, logits_processor=[used])


def test_a_model_with_beams_by_default_is_decoded_without(loaded):
    model, processor = loaded["instructblip"]
    expected = generate(model, processor).token_ids
    holder = model.language_model.generation_config
    holder.num_beams = 5
    try:
        assert generate(model, processor).token_ids == expected
    finally:
        holder.num_beams = 1


def test_an_encoder_decoder_is_refused():
    text = {"model_type": "t5", "vocab_size": len(VOCABULARY), "d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 1,
            "num_heads": 4, "decoder_start_token_id": 0, "is_encoder_decoder": True}
    _, processor = tiny("instructblip")
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "image_size": 56,
              "patch_size": 14}
    qformer = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1,
               "num_attention_heads": 4, "encoder_hidden_size": 32}
    model = transformers.InstructBlipForConditionalGeneration(transformers.InstructBlipConfig(
        vision_config=vision, qformer_config=qformer, num_query_tokens=4, text_config=text,
        image_token_index=VOCABULARY["<image>"])).eval()
    with pytest.raises(ValueError, match="encoder-decoder"):
        generate(model, processor)


# ---------------------------------------------------------------- grounding

class Answer:
    def __init__(self, size=IMAGE.size):
        self.size, self.styles = size, []

    def highlight(self, image, style="tint"):
        self.styles.append((image.size, style))
        return HIGHLIGHTED.resize(self.size)


class Client:
    def __init__(self, answer):
        self.answer = answer

    def ground(self, image):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_grounding_and_a_client_are_asked_for_the_highlighted_image(loaded):
    expected = generate(*loaded["llava"]).token_ids
    answer = Answer()
    assert generate(*loaded["llava"], grounding=answer, style="jet").token_ids == expected
    assert generate(*loaded["llava"], grounding=Client(answer)).token_ids == expected
    assert answer.styles == [(IMAGE.size, "jet"), (IMAGE.size, "tint")]
    with pytest.raises(ValueError, match="pixels"):
        generate(*loaded["llava"], grounding=Answer((10, 10)))
    with pytest.raises(TypeError, match="neither"):
        generate(*loaded["llava"], grounding="127.0.0.1:50051")


@pytest.mark.parametrize("failure", [errors.Unavailable("no server"), errors.Timeout("late"), errors.Overloaded("full")])
def test_without_a_server_one_branch_answers_loudly(loaded, failure):
    model, processor = loaded["qwen2_vl"]
    with pytest.warns(GroundingUnavailableWarning, match=type(failure).__name__):
        result = generate(model, processor, grounding=Client(failure))
    assert result.branches == 1 and type(failure).__name__ in result.degraded
    assert result.token_ids == plain(model, both_inputs(model, processor)[0])
    assert result.prompts == ANSWER.fill(QUESTION)[:1]


def test_a_callers_own_mistake_is_raised(loaded):
    with pytest.raises(errors.InvalidImage):
        generate(*loaded["llava"], grounding=Client(errors.InvalidImage("not an image")))


def test_the_highlighted_image_and_both_prompts_matter(loaded):
    for model, processor in loaded.values():
        logits = {name: generate(model, processor, return_logits=True, max_new_tokens=1, beta=0, **options).logits
                  for name, options in {"base": {}, "image": {"grounding": picture(9)}, "prompts": {"prompts": DESCRIBE},
                                        "none": {"question": None}}.items()}
        for name in ("image", "prompts"):
            assert (logits["base"] - logits[name]).abs().max() > 0.01, name
        assert torch.equal(logits["none"], logits["prompts"])


# ---------------------------------------------------------------- sampling, blending, imports

def test_sampling_follows_its_seed_and_leaves_the_global_one(loaded):
    model, processor = loaded["qwen2_vl"]
    options = {"do_sample": True, "temperature": 2.0, "beta": 0}
    state = torch.get_rng_state()
    first, again, other = (generate(model, processor, seed=seed, **options).token_ids for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), state)
    greedy = generate(model, processor, beta=0).token_ids
    assert generate(model, processor, seed=1, **{**options, "top_p": 1e-6}).token_ids == greedy
    assert generate(model, processor, seed=1, **{**options, "temperature": 1e-4}).token_ids == greedy
    assert generate(model, processor, seed=1, **{**options, "beta": 1.0}).token_ids == generate(
        model, processor, grounding=None).token_ids[:len(first)], "only the original's best is plausible"


def test_blend_logits_keeps_forbidden_tokens_forbidden():
    minus = float("-inf")
    original, highlighted = torch.tensor([2.0, minus, 1.0, -9.0]), torch.tensor([1.0, 5.0, minus, 50.0])
    for blend in ("interpolate", "contrast", "additive"):
        mixed = blend_logits(original, highlighted, alpha=0.5, beta=0.1, blend=blend)
        assert mixed.isfinite().tolist() == [True, False, False, False], blend
    assert blend_logits(original, highlighted, alpha=1, beta=0).tolist() == [2.0, minus, 1.0, -9.0]
    assert blend_logits(original, highlighted, alpha=0, beta=0).tolist() == [1.0, minus, minus, 50.0]
    shifted = blend_logits(original + 7, highlighted - 3)
    assert torch.softmax(shifted, -1).tolist() == pytest.approx(torch.softmax(blend_logits(original, highlighted), -1).tolist())


def test_the_package_loads_no_torch():
    code = ("import sys; sys.path[:0] = %r; import objectdino, objectdino.guidance, objectdino.chat, objectdino.eval; "
            "loaded = {'torch', 'transformers', 'openai'} & set(sys.modules); assert not loaded, loaded") % (sys.path,)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
