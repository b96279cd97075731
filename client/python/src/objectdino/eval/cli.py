# SPDX-License-Identifier: Apache-2.0
"""python -m objectdino.eval pope|chair|mme run|score. Exit codes: 0; 1 with one line on a failure, or if a run has
left errors; 2 for wrong usage; 130 if interrupted."""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from objectdino.errors import GroundingError
from objectdino.eval import models
from objectdino.eval.answers import Sheet, arms_of, caption_id, load_answers, question_id
from objectdino.eval.chair import ChairScorer
from objectdino.eval.journal import Journal
from objectdino.eval.report import Report, report_chair, report_mme, report_pope
from objectdino.eval.run import BASELINE, GROUNDED, ImageGroundings, run
from objectdino.eval.samples import Sample, load_images, load_mme, load_pope

_QUESTIONS = {
    "pope": "POPE's questions: JSON lines {question_id, image, text, label}",
    "mme": "MME's folder of TASK.txt files, or JSON lines {id, image, task, question, label}",
    "chair": "the images to describe: JSON lines {image} or a file name a line (COCO's names)",
}
_LOADERS: dict[str, Callable[[str], list[Sample]]] = {"pope": load_pope, "mme": load_mme, "chair": load_images}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.action(options))
    except KeyboardInterrupt:
        print("objectdino.eval: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (OSError, ValueError, ImportError, AttributeError, GroundingError) as error:
        print(f"objectdino.eval: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m objectdino.eval", description=__doc__)
    benchmarks = parser.add_subparsers(dest="benchmark", required=True)
    for benchmark, questions in _QUESTIONS.items():
        actions = benchmarks.add_parser(benchmark).add_subparsers(dest="do", required=True)
        for name, action, add in (("run", _run, _add_run), ("score", _score, _add_score)):
            sub = actions.add_parser(name, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
            sub.set_defaults(action=action)
            is_needed = benchmark != "chair" or name == "run"
            sub.add_argument("--questions", "--labels", required=is_needed, metavar="FILE", help=questions)
            if benchmark == "chair":
                sub.add_argument("--ground-truth", required=True, metavar="FILE", help="objects of the images, JSON")
            if benchmark == "pope":
                sub.add_argument("--empty", choices=("skip", "yes"), default="skip",
                                 help="an empty answer is none, or is a yes as in POPE's own script")  # fmt: skip
            sub.add_argument("--json", action="store_true", help="print JSON instead of a table")
            add(sub, benchmark)
    return parser


def _add_score(parser: argparse.ArgumentParser, benchmark: str) -> None:
    parser.add_argument("--answers", required=True, metavar="FILE",
                        help="JSON lines {question_id or image_id, text}, or the journal of a run")  # fmt: skip
    parser.add_argument("--baseline", metavar="FILE", help="answers without grounding, to compare with")


def _add_run(parser: argparse.ArgumentParser, benchmark: str) -> None:
    add = parser.add_argument
    add("--images", required=True, type=pathlib.Path, metavar="FOLDER", help="where the images are")
    add("--out", required=True, metavar="FILE", help="journal of the run, JSON lines; an existing one is continued")
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument(
        "--callable", metavar="MODULE:FUNCTION", help="called with (image, question or None, grounding or None)"
    )
    who.add_argument("--endpoint", metavar="URL", help="an OpenAI-style API, up to /v1")
    who.add_argument("--hf", metavar="PATH", help="a Hugging Face model for images and text")
    add("--grounding", metavar="HOST:PORT", help="the grounding server; without it there is the baseline only")
    add("--timeout", type=float, default=30.0, help="seconds for the grounding of an image")
    add("--style", choices=("tint", "jet"), default="tint", help="of the highlighted image")
    add("--limit", type=int, metavar="N", help="only the first N questions")
    if benchmark == "chair":
        add("--sample", type=int, metavar="N", help="N images drawn with --seed")
    add("--seed", type=int, default=0, help="of --sample and of sampled decoding")
    add("--concurrency", type=int, default=1, help="questions at once; keep 1 with --hf")
    add("--max-new-tokens", type=int, default=128 if benchmark == "chair" else 64)
    add("--alpha", type=float, default=0.4, help="weight of the original branch")
    api = parser.add_argument_group("with --endpoint")
    api.add_argument("--model", help="the model's name there")
    methods = ("highlight", "crops", "text") if benchmark == "chair" else ("yes_no", "highlight", "crops", "text")
    method_help = "yes_no blends the log-probabilities of two calls; the others add to the messages"
    api.add_argument("--method", choices=methods, default=methods[0], help=method_help)
    api.add_argument(
        "--api-key-env", default="OPENAI_API_KEY", metavar="NAME", help="environment variable with the key"
    )
    local = parser.add_argument_group("with --hf")
    local.add_argument("--device", default="cpu")
    local.add_argument("--dtype", default="float32")
    local.add_argument("--beta", type=float, default=0.1, help="plausibility cut-off; 0, as published, is none")
    local.add_argument("--blend", choices=("interpolate", "contrast", "additive"), default="interpolate")
    local.add_argument("--sampling", action="store_true", help="sample instead of greedy decoding")
    local.add_argument("--temperature", type=float, default=1.0)
    local.add_argument("--top-p", type=float, default=1.0)


def _score(options: argparse.Namespace) -> int:
    id_of = caption_id if options.benchmark == "chair" else question_id
    if options.baseline is not None:
        for name in (options.answers, options.baseline):
            if len(arms_of(name)) > 1:
                raise ValueError(f"{name} is a journal with its own baseline: score it without --baseline")
        sheets = {BASELINE: load_answers(options.baseline, id_of), "answers": load_answers(options.answers, id_of)}
    elif arms := arms_of(options.answers):
        sheets = {arm: load_answers(options.answers, question_id, arm) for arm in arms}  # a journal's ids are right
    else:
        sheets = {"answers": load_answers(options.answers, id_of)}
    samples = None if options.questions is None else _LOADERS[options.benchmark](options.questions)
    _print(_report(options, samples, sheets), options)
    return 0


def _run(options: argparse.Namespace) -> int:
    samples = _LOADERS[options.benchmark](options.questions)[: options.limit]
    if getattr(options, "sample", None):
        chosen = set(random.Random(options.seed).sample(sorted(one.id for one in samples), options.sample))
        samples = [one for one in samples if one.id in chosen]
    if options.endpoint and not options.model:
        raise ValueError("--endpoint needs --model")
    ask = _ask(options)
    with (
        Journal(options.out, _settings(options, samples)) as journal,
        _grounding(options) as ground,
        _progress(len(samples) * (1 if ground is None else 2)) as progress,
    ):
        failures = run(
            samples, options.images, ask, ground, journal, concurrency=options.concurrency, progress=progress
        )
    arms = [BASELINE] if options.grounding is None else [BASELINE, GROUNDED]
    sheets = {arm: load_answers(options.out, question_id, arm) for arm in arms}
    _print(_report(options, samples, sheets), options)
    if failures:
        print(
            f"objectdino.eval: {failures} questions ended in errors; the same command tries them again", file=sys.stderr
        )
    return 1 if failures else 0


def _settings(options: argparse.Namespace, samples: Sequence[Sample]) -> dict[str, Any]:
    """What answers depend on."""
    chosen: list[str] = ["benchmark", "grounding", "callable", "endpoint", "hf", "style", "max_new_tokens", "alpha"]
    if options.endpoint:
        chosen += ["model", "method"]
    if options.hf:
        chosen += ["beta", "blend", "sampling", "temperature", "top_p", "seed", "dtype"]
    settings = {name: getattr(options, name) for name in chosen}
    settings["grounding"] = options.grounding is not None  # the server's address may change
    return {**settings, "ids": [sample.id for sample in samples]}


def _ask(options: argparse.Namespace) -> models.Ask:
    if options.callable:
        sys.path.insert(0, "")
        return models.from_callable(options.callable)
    if options.endpoint:
        return models.from_endpoint(
            options.endpoint, options.model, method=options.method, style=options.style, alpha=options.alpha,
            max_tokens=options.max_new_tokens, api_key_env=options.api_key_env,
        )  # fmt: skip
    return models.from_hugging_face(
        options.hf,
        device=options.device,
        dtype=options.dtype,
        style=options.style,
        alpha=options.alpha,
        beta=options.beta,
        blend=options.blend,
        do_sample=options.sampling,
        temperature=options.temperature,
        top_p=options.top_p,
        max_new_tokens=options.max_new_tokens,
        seed=options.seed if options.sampling else None,
    )


@contextlib.contextmanager
def _grounding(options: argparse.Namespace) -> Iterator[ImageGroundings | None]:
    if options.grounding is None:
        yield None
        return
    from objectdino import GroundingClient

    with GroundingClient(options.grounding, timeout=options.timeout) as client:
        yield ImageGroundings(client.ground)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], Any]]:
    """A bar on a terminal's stderr."""
    from tqdm import tqdm

    with tqdm(total=total, unit="answer", disable=None) as bar:
        yield bar.update


def _report(options: argparse.Namespace, samples: list[Sample] | None, sheets: dict[str, Sheet]) -> Report:
    if options.benchmark == "chair":
        return report_chair(samples, sheets, ChairScorer.load(options.ground_truth))
    assert samples is not None  # --questions is required
    if options.benchmark == "mme":
        return report_mme(samples, sheets)
    return report_pope(samples, sheets, empty_is_yes=options.empty == "yes")


def _print(report: Report, options: argparse.Namespace) -> None:
    print(json.dumps(report.to_json(), indent=1) if options.json else report)
