# SPDX-License-Identifier: Apache-2.0
"""CHAIR (Rohrbach et al. 2018): the objects that captions mention against those of the image.

The ground truth is a JSON file: `classes` [80], `class_of_word` (a word or two to its class), `double_words` (what two
words in a row become), `objects_by_image` (COCO image id to numbers of classes). Words are taken as the lists have
them.

Plurals: the vocabulary is closed, so plurals are made from it instead of singulars from arbitrary words. The published
scorer's singulariser loses "bus", "ties" and the "glass" of "wine glass", so that it misses these mentions; this one
does not.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

_TOKEN = re.compile(r"[a-z0-9][a-z0-9/\-]*")
_IRREGULAR = {"mouse": "mice", "goose": "geese", "child": "children", "ox": "oxen"}


@dataclasses.dataclass(frozen=True)
class ChairScore:
    """chair_s: share of captions with a hallucinated object; chair_i: share of mentions that are hallucinated; recall:
    share of the images' objects that are mentioned. Lower CHAIR comes cheap with shorter captions: `mean_words`."""

    captions: int
    hallucinating_captions: int
    mentions: int
    hallucinated_mentions: int
    found_objects: int
    objects: int
    mean_words: float

    @property
    def chair_s(self) -> float:
        return _ratio(self.hallucinating_captions, self.captions)

    @property
    def chair_i(self) -> float:
        return _ratio(self.hallucinated_mentions, self.mentions)

    @property
    def precision(self) -> float:
        return 1 - self.chair_i

    @property
    def recall(self) -> float:
        return _ratio(self.found_objects, self.objects)


class ChairScorer:
    """Thread-safe: constant after construction."""

    def __init__(self, ground_truth: Mapping[str, Any], singular: Mapping[str, str] | None = None) -> None:
        """`singular` overrules what single words become before they are looked up."""
        classes = list(ground_truth["classes"])
        # The published list begins with an empty line: as a word it would turn every "'s" into an object.
        self._class_of = {word: name for word, name in ground_truth["class_of_word"].items() if word}
        self._double = dict(ground_truth["double_words"])
        self._objects = {
            str(image): frozenset(classes[number] for number in numbers)
            for image, numbers in ground_truth["objects_by_image"].items()
        }
        known = {token for words in (*self._class_of, *self._double) for token in words.split()}
        self._singular = {plural: word for word in sorted(known) for plural in _plurals(word) if plural not in known}
        self._singular.update(singular or {})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ChairScorer:
        with open(path, encoding="utf-8") as file:
            return ChairScorer(json.load(file))

    def knows(self, image_id: str) -> bool:
        return image_id in self._objects

    def mentions(self, caption: str) -> list[str]:
        """The classes a caption mentions, in its order, with repetitions."""
        tokens = [self._singular.get(token, token) for token in _TOKEN.findall(caption.lower().replace("'s", " "))]
        words, i = [], 0
        while i < len(tokens):
            pair = " ".join(tokens[i : i + 2])
            if pair in self._double:
                words.append(self._double[pair])
                i += 2
            else:
                words.append(tokens[i])
                i += 1
        if "toilet" in words:
            words = [word for word in words if word != "seat"]
        return [self._class_of[word] for word in words if word in self._class_of]

    def score(self, captions: Mapping[str, str]) -> ChairScore:
        """`captions`: by COCO image id. KeyError: an image without ground truth."""
        hallucinating = mentions = hallucinated = found = objects = words = 0
        for image, caption in captions.items():
            there, said = self._objects[image], self.mentions(caption)
            wrong = sum(name not in there for name in said)
            hallucinating += wrong > 0
            mentions += len(said)
            hallucinated += wrong
            found += len(there.intersection(said))
            objects += len(there)
            words += len(caption.split())
        mean_words = _ratio(words, len(captions))
        return ChairScore(len(captions), hallucinating, mentions, hallucinated, found, objects, mean_words)


def cut_to_mean_words(captions: Mapping[str, str], target: float) -> dict[str, str]:
    """The captions cut after a number of words, the largest for which their mean length is at most `target`."""
    words = {image: caption.split() for image, caption in captions.items()}
    cap = max((len(one) for one in words.values()), default=0)
    while cap > 0 and sum(min(cap, len(one)) for one in words.values()) > target * len(words) + 1e-9:
        cap -= 1
    return {image: " ".join(one[:cap]) for image, one in words.items()}


def _plurals(word: str) -> Iterator[str]:
    yield word + "s"
    if re.search(r"(s|x|z|ch|sh|o)$", word):
        yield word + "es"
    if re.search(r"[^aeiou]y$", word):
        yield word[:-1] + "ies"
    if re.search(r"fe?$", word):
        yield re.sub(r"fe?$", "ves", word)
    if word.endswith("man"):
        yield word[:-2] + "en"
    if word in _IRREGULAR:
        yield _IRREGULAR[word]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
