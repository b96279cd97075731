# SPDX-License-Identifier: Apache-2.0
"""Random models of the three families, small enough for a test: with their own processors where these run without
torchvision, and words as tokens. Their weights are large, so that their answers change from token to token."""
import os
import pathlib
import sys

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "client" / "python" / "src"))

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()

FAMILIES = ("llava", "instructblip", "qwen2_vl")
SPECIAL = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "<|image_pad|>", "<|vision_start|>", "<|vision_end|>"]
WORDS = """answer this question based on the image by looking at highlighted region please describe in detail regions is
there a an dog cat yes no ? . : user assistant one two three four five six""".split()
VOCABULARY = {word: number for number, word in enumerate(SPECIAL + WORDS)}
TEXT = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "pad_token_id": 0,
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, "initializer_range": 0.4}
QWEN_TEMPLATE = ("{% for m in messages %}user {% for c in m['content'] %}{% if c['type'] == 'image' %}<|vision_start|>"
                 "<|image_pad|><|vision_end|>{% else %} {{ c['text'] }}{% endif %}{% endfor %} assistant :{% endfor %}")


def picture(seed, width=56, height=56):
    return Image.fromarray(np.random.RandomState(seed).randint(0, 256, (height, width, 3), dtype=np.uint8))


def tokenizer(with_bos=True):
    words = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if with_bos:
        words.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    made = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
                                                unk_token="<unk>", model_input_names=["input_ids", "attention_mask"])
    made.add_special_tokens({"additional_special_tokens": SPECIAL[4:]})
    return made


class QwenProcessor:
    """Qwen2VLProcessor without its video half, which needs torchvision."""

    def __init__(self):
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
        self.image_processor = Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=28 * 28 * 12)
        self.tokenizer, self.chat_template = tokenizer(with_bos=False), QWEN_TEMPLATE

    def apply_chat_template(self, messages, **options):
        return self.tokenizer.apply_chat_template(messages, chat_template=self.chat_template, **options)

    def __call__(self, images, text, return_tensors):
        pixels = self.image_processor(images=images, return_tensors=return_tensors)
        count = int(pixels["image_grid_thw"].prod()) // 4
        text = text.replace("<|image_pad|>", "<|image_pad|> " * count)
        return {**self.tokenizer([text], return_tensors=return_tensors), **pixels}


def llava(**text):
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 56,
              "patch_size": 14, "projection_dim": 32, "initializer_range": 0.4, "model_type": "clip_vision_model"}
    config = transformers.LlavaConfig(vision_config=vision, text_config={"model_type": "llama", **TEXT, **text},
                                      image_token_index=VOCABULARY["<image>"], image_seq_length=16)
    model = transformers.LlavaForConditionalGeneration(config)
    size = {"height": 56, "width": 56}
    pixels = transformers.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size=size)
    words = tokenizer()
    words.image_token = "<image>"
    return model, transformers.LlavaProcessor(pixels, words, patch_size=14, num_additional_image_tokens=1,
                                              vision_feature_select_strategy="default")


def instructblip(**text):
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 56,
              "patch_size": 14, "initializer_range": 0.4}
    qformer = {"vocab_size": len(VOCABULARY), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
               "num_attention_heads": 4, "encoder_hidden_size": 32, "initializer_range": 0.4, "pad_token_id": 0}
    config = transformers.InstructBlipConfig(vision_config=vision, qformer_config=qformer, num_query_tokens=4,
                                             text_config={"model_type": "llama", **TEXT, **text},
                                             image_token_index=VOCABULARY["<image>"])
    model = transformers.InstructBlipForConditionalGeneration(config)
    torch.nn.init.normal_(model.query_tokens)
    words = tokenizer()
    words.image_token = transformers.AddedToken("<image>", normalized=False, special=True)
    pixels = transformers.BlipImageProcessor(size={"height": 56, "width": 56})
    return model, transformers.InstructBlipProcessor(pixels, words, tokenizer(), num_query_tokens=4)


def qwen2_vl(**text):
    text = {**TEXT, **text}
    vision = {"depth": 2, "embed_dim": 32, "hidden_size": text["hidden_size"], "num_heads": 4, "mlp_ratio": 2, "patch_size": 14}
    config = transformers.Qwen2VLConfig(
        **text, rope_scaling={"type": "mrope", "mrope_section": [1, 1, 2]}, vision_config=vision,
        image_token_id=VOCABULARY["<|image_pad|>"], vision_start_token_id=VOCABULARY["<|vision_start|>"],
        vision_end_token_id=VOCABULARY["<|vision_end|>"])
    return transformers.Qwen2VLForConditionalGeneration(config), QwenProcessor()


def tiny(family, seed=3, **text):
    """(model, processor); the same weights for the same seed. `text` overrides the language model's configuration."""
    torch.manual_seed(seed)
    model, processor = {"llava": llava, "instructblip": instructblip, "qwen2_vl": qwen2_vl}[family](**text)
    head = getattr(model, "language_model", model).get_output_embeddings() or model.get_output_embeddings()
    with torch.no_grad():  # 0 is never the best: special tokens are not said, but for the end
        head.weight[[number for number in range(len(SPECIAL)) if number != VOCABULARY["</s>"]]] = 0
    model.generation_config.pad_token_id = 0
    return model.eval(), processor
