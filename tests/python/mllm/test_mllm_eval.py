# SPDX-License-Identifier: Apache-2.0
"""python -m objectdino.eval: published answers give the published figures; runs resume, match by id, and never score an error."""
import itertools
import json
import math
import os
import pathlib
import random
import subprocess
import sys

import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "client" / "python" / "src"))

from openai_stub import OpenAiStub, completion, images_of, texts_of  # first: sets the environment

from objectdino.eval import (ChairScorer, count, flip_to_ratio, parse_mme, parse_pope, score_mme, threshold_to_ratio)
from objectdino.eval.chair import cut_to_mean_words
from objectdino.eval.cli import main
from objectdino.eval.journal import Journal
from objectdino.testing import Failure, FakeServer

DATA = ROOT.parent / "shared" / "data" / "mllm"
MODEL = """
calls = []
def answer(image, question, grounding):
    calls.append((question, grounding is not None))
    if question is not None and "broken" in question:
        raise RuntimeError("cannot see")
    if question is None:
        return "A dog on a bus." if grounding is None else "A dog."
    return "Yes." if grounding is None or "dog" in question else "No, there is none."
def interrupted(image, question, grounding):
    if len(calls) == 3:
        raise KeyboardInterrupt
    return answer(image, question, grounding)
def nothing(image, question, grounding):
    return None
"""
QUESTIONS = [("Is there a dog?", "yes"), ("Is there a cat?", "no"), ("Is there a bus?", "no"), ("Is there a dog here?", "yes")]


@pytest.fixture(scope="module")
def golden():
    if not DATA.is_dir():
        pytest.skip("NOT TESTED: mllm is not beside the checkout (../shared/data/mllm)")
    return DATA


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four questions about two images, and a model to import."""
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("eval_model", None)
    (tmp_path / "eval_model.py").write_text(MODEL)
    (tmp_path / "images").mkdir()
    for number in (1, 2):
        Image.new("RGB", (64, 48), (90 * number, 10, 10)).save(tmp_path / "images" / f"COCO_val2014_{number:012}.png")
    write_questions(tmp_path, QUESTIONS)
    return tmp_path


def write_questions(folder, questions):
    write(folder / "questions.jsonl", [
        {"question_id": i, "image": f"COCO_val2014_{i % 2 + 1:012}.png", "text": text, "label": label}
        for i, (text, label) in enumerate(questions, 1)])


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def report(capsys, *arguments, code=0):
    assert main([*map(str, arguments), "--json"]) == code
    return json.loads(capsys.readouterr().out)


def pope_run(folder, *options, model="eval_model:answer"):
    who = ["--callable", model] if model else []
    return ["pope", "run", "--questions", folder / "questions.jsonl", "--images", folder / "images", "--out",
            folder / "run.jsonl", *who, *options]


# ---------------------------------------------------------------- published answers

@pytest.mark.parametrize("strength, expected", [("0.0", (1365, 482, 135, 1018)), ("0.7", (1211, 161, 289, 1339))])
def test_pope_gives_the_published_figures(golden, capsys, strength, expected):
    made = report(capsys, "pope", "score", "--labels", golden / "marine/pope_labels.jsonl", "--answers",
                  golden / f"marine/pope_answers_strength{strength}.jsonl")
    row = made["rows"]["answers"]
    assert (row["TP"], row["FP"], row["FN"], row["TN"]) == expected
    published = next(json.loads(line) for line in (golden / "marine/pope_eval_published.jsonl").read_text().splitlines()
                     if f"strength{strength}" in line)
    for ours, theirs in {"accuracy": "Accuracy", "yes-ratio": "Yes_ratio", "precision": "Precision", "recall": "Recall",
                         "F1": "F1"}.items():
        assert round(row[ours], 4) == published["overall_metrics"][theirs]
    assert round(row["mean words"], 2) == published["length_response"]
    assert made["coverage"]["answers"]["answered"] == 3000


@pytest.mark.parametrize("strength, percent", [("0.0", 9.0), ("0.7", 5.2)])
def test_chair_gives_the_published_figures_but_for_lost_words(golden, strength, percent):
    """The published scorer loses "bus", "ties" and the "glass" of "wine glass" to its singulariser. With that, all its
    figures come out."""
    truth = json.loads((golden / "chair/coco2014_chair.json").read_text())
    captions = {}
    for row in rows_of(golden / f"marine/chair_captions_strength{strength}.jsonl"):
        captions[str(int(row["image_id"][-16:-4]))] = row["text"]
    score = ChairScorer(truth).score(captions)
    assert 100 * score.chair_s == pytest.approx(percent) and score.captions == 500
    theirs = next(json.loads(line)["overall_metrics"] for line in
                  (golden / "marine/chair_eval_published.jsonl").read_text().splitlines() if f"strength{strength}" in line)
    mangled = ChairScorer(truth, {"bus": "bu", "ties": "ty", "glass": "gla"}).score(captions)
    assert (mangled.hallucinating_captions, mangled.hallucinated_mentions, mangled.mentions) == (
        theirs["num_hallucinated_caps"], theirs["hallucinated_word_count"], theirs["coco_word_count"])
    assert (mangled.chair_s, mangled.chair_i, mangled.recall) == (theirs["CHAIRs"], theirs["CHAIRi"], theirs["Recall"])


def test_chairs_ground_truth_agrees_with_the_labels_of_pope(golden):
    truth = json.loads((golden / "chair/coco2014_chair.json").read_text())
    checked = 0
    for split in ("random", "popular", "adversarial"):
        for row in rows_of(golden / f"pope/coco_pope_{split}.jsonl"):
            name = row["text"].removesuffix(" in the image?").removeprefix("Is there ").partition(" ")[2]
            there = truth["objects_by_image"][str(int(row["image"][-16:-4]))]
            assert (truth["classes"].index(truth["class_of_word"][name]) in there) == (row["label"] == "yes"), row
            checked += 1
    assert checked == 9000


# ---------------------------------------------------------------- reading answers

@pytest.mark.parametrize("text, expected", [
    ("Yes, there is.", True), ("No.", False), ("no", False), ("There is not. Yes", False), ("Yes. But no dog.", True),
    ("Nothing here", True), ("No, a cat", False), ("", None), ("  \n", None), ("NO", True)])
def test_pope_reads_answers_as_published(text, expected):
    assert parse_pope(text) is expected


@pytest.mark.parametrize("text, expected", [("Yes", True), ("yes.", True), (" No, it", False), ("Not", False), ("The", None),
                                            ("Well, yes", None), ("", None)])
def test_mme_reads_answers_as_published(text, expected):
    assert parse_mme(text) is expected


def test_mme_scores_pairs():
    answers = [("count", "a", True, 1.0), ("count", "a", False, 0.0), ("count", "b", True, 1.0), ("count", "b", False, 1.0),
               ("count", "c", True, None), ("count", "c", False, 0.0), ("count", "d", True, 1.0),
               ("code_reasoning", "a", True, 0.5), ("code_reasoning", "a", False, 0.5)]
    score = score_mme(answers)
    count_task = score.tasks["count"]
    assert (count_task.questions, count_task.images, count_task.incomplete) == (7, 3, 1)
    assert (count_task.accuracy, count_task.accuracy_plus) == (5 / 7, 1 / 3)
    assert score.tasks["code_reasoning"].score == 100 * (0.5 + 0.25)
    assert score.cognition == 75 and score.perception == count_task.score and math.isnan(score.mme_4)


CHAIR = {"classes": ["dog", "bus", "tie", "toilet", "chair", "person", "hot dog", "wine glass", "mouse", "knife", "sandwich",
                     "train", "stop sign", "couch"],
         "class_of_word": {"": "dog", "dog": "dog", "puppy": "dog", "bus": "bus", "tie": "tie", "toilet": "toilet",
                           "seat": "chair", "chair": "chair", "man": "person", "child": "person", "people": "person",
                           "hot dog": "hot dog", "wine glass": "wine glass", "mouse": "mouse", "knife": "knife",
                           "sandwich": "sandwich", "train": "train", "stop sign": "stop sign", "couch": "couch"},
         "double_words": {"hot dog": "hot dog", "wine glass": "wine glass", "baby dog": "dog", "train track": "train track",
                          "bow tie": "tie", "stop sign": "stop sign", "toilet seat": "toilet"},
         "objects_by_image": {"1": [0, 1], "2": [5]}}


@pytest.mark.parametrize("caption, expected", [
    ("Two dogs and a bus.", ["dog", "bus"]), ("Buses, ties, knives; mice!", ["bus", "tie", "knife", "mouse"]),
    ("A baby dog eats hot dogs", ["dog", "hot dog"]), ("the toilet's seat", ["toilet"]), ("A toilet seat", ["toilet"]),
    ("a seat", ["chair"]), ("men, people and children", ["person"] * 3), ("two wine glasses", ["wine glass"]),
    ("train tracks", []), ("a train on a track", ["train"]), ("The dog's bow tie", ["dog", "tie"]), ("puppies", ["dog"]),
    ("it's nobody's", []), ("sandwiches by two stop signs", ["sandwich", "stop sign"]), ("couches", ["couch"]), ("", [])])
def test_chair_finds_the_objects_of_a_caption(caption, expected):
    assert ChairScorer(CHAIR).mentions(caption) == expected


def test_chair_counts():
    score = ChairScorer(CHAIR).score({"1": "A dog, a dog and a man", "2": "A man."})
    assert (score.hallucinating_captions, score.mentions, score.hallucinated_mentions) == (1, 4, 1)
    assert (score.found_objects, score.objects, score.mean_words) == (2, 3, 4.5)
    assert (score.chair_s, score.chair_i, score.precision) == (0.5, 0.25, 0.75)
    assert cut_to_mean_words({"1": "A dog, a dog and a man", "2": "A man."}, 2.5) == {"1": "A dog, a", "2": "A man."}


# ---------------------------------------------------------------- bias

def test_flips_are_the_expectation_of_all_random_flips():
    labels, said = [True, True, False, False, False], [1, 1, 1, 1, 0]
    for target in (0.2, 0.4, 0.8, 1.0):
        change = round(target * 5) - sum(said)
        pool = [i for i, yes in enumerate(said) if yes == (change < 0)]
        outcomes = []
        for flipped in itertools.combinations(pool, abs(change)):
            after = [1 - yes if i in flipped else yes for i, yes in enumerate(said)]
            outcomes.append(count(labels, after))
        expected = count(labels, flip_to_ratio(said, target))
        for name in ("tp", "fp", "fn", "tn"):
            assert getattr(expected, name) == pytest.approx(sum(getattr(o, name) for o in outcomes) / len(outcomes)), target
        assert expected.yes_ratio == pytest.approx(target)
    assert flip_to_ratio([0.0, 0.0], 0.5) == [0.5, 0.5] and flip_to_ratio([1.0, 1.0], 0.0) == [0.0, 0.0]


def test_the_moved_threshold_takes_the_likeliest():
    generator = random.Random(1)
    p = [round(generator.random(), 1) for _ in range(40)]  # with ties
    for wanted in range(41):
        said = threshold_to_ratio(p, wanted / 40)
        assert sum(said) == pytest.approx(wanted)
        for i, j in itertools.product(range(40), repeat=2):
            assert p[i] <= p[j] or said[i] >= said[j]
            assert said[i] == said[j] or p[i] != p[j]
    assert count([True], [1.0]).precision == 1 and math.isnan(count([True], [0.0]).precision)


# ---------------------------------------------------------------- scoring

def test_answers_are_matched_by_id_and_errors_are_no_answers(folder, capsys):
    questions = folder / "questions.jsonl"
    answers = [{"question_id": 4, "text": "Yes"}, {"question_id": 2, "text": "no"}, {"question_id": 1, "text": "ERROR: out of memory"},
               {"question_id": 3, "text": " "}, {"question_id": 99, "text": "Yes"}, {"id": 2, "answer": "Yes"}]
    made = report(capsys, "pope", "score", "--questions", questions, "--answers", write(folder / "a.jsonl", answers))
    row = made["rows"]["answers"]
    assert (row["n"], row["TP"], row["FP"], row["FN"], row["TN"]) == (2, 1, 1, 0, 0)
    assert made["coverage"]["answers"] == {"asked": 4, "answered": 2, "missing": 0, "errors": 1, "empty": 1, "unknown": 1,
                                           "repeated": 1}
    assert "answers, yes-ratio of the labels" in made["rows"]
    counted = report(capsys, "pope", "score", "--questions", questions, "--answers", folder / "a.jsonl", "--empty", "yes")
    assert (counted["rows"]["answers"]["n"], counted["rows"]["answers"]["FP"]) == (3, 2)
    lone = report(capsys, "pope", "score", "--questions", questions, "--answers", write(folder / "b.jsonl", answers[4:5]))
    assert lone["rows"]["answers"]["accuracy"] is None and lone["coverage"]["answers"]["missing"] == 4
    assert main(["pope", "score", "--questions", str(questions), "--answers", str(folder / "a.jsonl")]) == 0
    assert "2 of 4 answered (1 errors, 1 empty, 1 unknown, 1 repeated)" in capsys.readouterr().out


def test_the_baseline_gets_the_yes_ratio_of_the_guided_answers(folder, capsys):
    yes = [{"question_id": i, "text": "Yes", "p_yes": p} for i, p in ((1, 0.9), (2, 0.6), (3, 0.7), (4, 0.8))]
    some = [{"question_id": i, "text": text} for i, text in ((1, "Yes"), (2, "No"), (3, "No"), (4, "Yes"))]
    arguments = ["pope", "score", "--questions", folder / "questions.jsonl", "--answers", write(folder / "some.jsonl", some),
                 "--baseline", write(folder / "yes.jsonl", yes)]
    moved = report(capsys, *arguments)["rows"]["baseline, yes-ratio of answers"]
    assert (moved["yes-ratio"], moved["accuracy"]) == (0.5, 1.0), "the two likeliest are the right ones"
    write(folder / "yes.jsonl", [{key: row[key] for key in ("question_id", "text")} for row in yes])
    flipped = report(capsys, *arguments)["rows"]["baseline, yes-ratio of answers"]
    assert (flipped["yes-ratio"], flipped["accuracy"], flipped["precision"]) == (0.5, 0.5, 0.5)


# ---------------------------------------------------------------- runs

def test_a_run_asks_with_and_without_grounding_and_resumes(folder, capsys):
    write_questions(folder, [*QUESTIONS, ("Is there a broken one?", "no")])
    with FakeServer() as server:
        made = report(capsys, *pope_run(folder, "--grounding", server.target, "--concurrency", 3), code=1)
        assert 2 <= len(server.requests) <= 6, "an image is grounded for every question"
    import eval_model
    assert len(eval_model.calls) == 10
    assert list(made["rows"]) == ["baseline", "grounded", "baseline, yes-ratio of grounded"]
    assert [made["rows"][arm]["accuracy"] for arm in ("baseline", "grounded")] == [0.5, 1.0]
    assert made["coverage"]["grounded"]["errors"] == 1 and made["rows"]["grounded"]["n"] == 4
    assert made["rows"]["baseline, yes-ratio of grounded"]["yes-ratio"] == 0.5
    records = rows_of(folder / "run.jsonl")
    assert records[0]["journal"] == 1 and len(records) == 11
    assert sum("error" in row for row in records) == 2 and "cannot see" in json.dumps(records)
    with FakeServer() as server:  # errors are tried again, nothing else is
        assert report(capsys, *pope_run(folder, "--grounding", server.target), code=1)["rows"] == made["rows"]
    assert len(eval_model.calls) == 12
    assert report(capsys, "pope", "score", "--questions", folder / "questions.jsonl", "--answers", folder / "run.jsonl") == made
    assert main(["pope", "score", "--questions", str(folder / "questions.jsonl"), "--answers", str(folder / "run.jsonl"),
                 "--baseline", str(folder / "run.jsonl")]) == 1


def test_without_the_server_grounded_answers_are_errors(folder, capsys):
    with FakeServer(*[Failure("DEADLINE_EXCEEDED")] * 4) as server:
        made = report(capsys, *pope_run(folder, "--grounding", server.target), code=1)
    assert made["coverage"]["grounded"] == {"asked": 4, "answered": 0, "missing": 0, "errors": 4, "empty": 0, "unknown": 0,
                                            "repeated": 0}
    assert made["coverage"]["baseline"]["answered"] == 4


def test_an_interrupted_run_goes_on(folder, capsys):
    assert main([str(word) for word in pope_run(folder, model="eval_model:interrupted")]) == 130
    assert "goes on" in capsys.readouterr().err
    journal = folder / "run.jsonl"
    assert len(rows_of(journal)) == 4
    with open(journal, "ab") as file:
        file.write(b'{"arm": "baseline", "id": "4", "te')  # a crash in the middle of a line
    import eval_model
    eval_model.calls.append("the interruption is over")
    made = report(capsys, *pope_run(folder, model="eval_model:interrupted"))
    assert made["coverage"]["baseline"]["answered"] == 4 and len(eval_model.calls) == 5
    assert len(rows_of(journal)) == 5


@pytest.mark.parametrize("arguments, word", [
    (["--limit", 2], "other settings: ids"), (["--alpha", 0.5], "other settings: alpha"), (["--endpoint"], None)])
def test_a_journal_of_another_run_is_refused(folder, capsys, arguments, word):
    assert main([str(part) for part in pope_run(folder)]) == 0
    if word is None:
        (folder / "run.jsonl").write_text('{"question_id": 1, "text": "Yes"}\n')
        arguments, word = [], "not a journal"
    capsys.readouterr()
    assert main([str(part) for part in pope_run(folder, *arguments)]) == 1
    error = capsys.readouterr().err
    assert word in error and len(error.splitlines()) == 1


def test_one_run_at_a_time_writes_a_journal(tmp_path):
    with Journal(tmp_path / "j", {"a": 1}):
        with pytest.raises(ValueError, match="in use"):
            Journal(tmp_path / "j", {"a": 1})
    with Journal(tmp_path / "j", {"a": 1}) as journal:
        journal.append("x", "1", {"error": "no"})
        assert journal.done == set()
        journal.append("x", "1", {"text": "é\nü"})
    with Journal(tmp_path / "j", {"a": 1}) as journal:
        assert journal.done == {("x", "1")}
    (tmp_path / "j").write_bytes(b"not json\n")
    with pytest.raises(ValueError, match="j:1"):
        Journal(tmp_path / "j", {"a": 1})


def stub_model(request):
    message = request["messages"][-1]
    is_guided = "highlighted region" in texts_of(message)[-1] or len(images_of(message)) > 1
    if request.get("logprobs"):
        return completion("No", {"Yes": -3.0, "No": -0.1} if is_guided else {"Yes": -0.2, "No": -2.0})
    return completion("No, none." if is_guided else "Yes, one.")


@pytest.mark.parametrize("method, calls", [("yes_no", 3), ("highlight", 2)])
def test_an_endpoint_is_asked_by_either_method(folder, capsys, method, calls):
    with FakeServer() as server, OpenAiStub(stub_model) as stub:
        made = report(capsys, *pope_run(folder, "--endpoint", stub.url, "--model", "m", "--method", method, "--grounding",
                                        server.target, model=None))
    assert [made["rows"][arm]["yes-ratio"] for arm in ("baseline", "grounded")] == [1.0, 0.0]
    assert len(stub.requests) == 4 * calls
    assert ("p_yes" in rows_of(folder / "run.jsonl")[1]) == (method == "yes_no")


def test_a_hugging_face_model_is_loaded_and_asked(folder, capsys):
    pytest.importorskip("torch", exc_type=ImportError)
    from tiny_models import tiny
    model, processor = tiny("llava")
    model.save_pretrained(folder / "tiny")
    processor.save_pretrained(folder / "tiny")
    with FakeServer() as server:
        report(capsys, *pope_run(folder, "--hf", folder / "tiny", "--grounding", server.target, "--max-new-tokens", 6, "--limit", 1,
                                 model=None))
    from objectdino.generation import dual_branch_generate
    expected = dual_branch_generate(model, processor, folder / "images/COCO_val2014_000000000002.png", QUESTIONS[0][0], None,
                                    max_new_tokens=6).text
    texts = {row["arm"]: row["text"] for row in rows_of(folder / "run.jsonl")[1:]}
    assert texts["baseline"] == expected != texts["grounded"]


def test_captions_are_run_and_scored(folder, capsys):
    (folder / "list.txt").write_text("COCO_val2014_000000000001.png\nCOCO_val2014_000000000002.png\n")
    (folder / "truth.json").write_text(json.dumps(CHAIR))
    with FakeServer() as server:
        made = report(capsys, "chair", "run", "--questions", folder / "list.txt", "--ground-truth", folder / "truth.json",
                      "--images", folder / "images", "--out", folder / "run.jsonl", "--callable", "eval_model:answer",
                      "--grounding", server.target)
    assert list(made["rows"]) == ["baseline", "grounded", "baseline, length of grounded"]
    base, grounded, cut = made["rows"].values()
    assert (base["CHAIR_s"], base["CHAIR_i"], base["mean words"]) == (0.5, 0.5, 5.0)
    assert (grounded["CHAIR_i"], grounded["recall"], grounded["mean words"]) == (0.5, 1 / 3, 2.0)
    assert cut["mean words"] == 2.0 and cut["mentions"] == 2
    sampled = ["chair", "run", "--questions", folder / "list.txt", "--ground-truth", folder / "truth.json", "--images",
               folder / "images", "--out", folder / "one.jsonl", "--callable", "eval_model:answer", "--sample", 1, "--seed", 4]
    assert report(capsys, *sampled)["rows"]["baseline"]["captions"] == 1
    assert len(rows_of(folder / "one.jsonl")[0]["settings"]["ids"]) == 1


def test_mme_reads_its_own_folder(folder, capsys):
    (folder / "mme").mkdir()
    image = "COCO_val2014_000000000001.png"
    (folder / "mme/existence.txt").write_text(f"{image}\tIs there a dog?\tYes\n{image}\tIs there a cat?\tNo\n")
    with FakeServer() as server:
        made = report(capsys, "mme", "run", "--questions", folder / "mme", "--images", folder / "images", "--out",
                      folder / "run.jsonl", "--callable", "eval_model:answer", "--grounding", server.target)
    assert (made["rows"]["baseline"]["existence"], made["rows"]["grounded"]["existence"]) == (50.0, 200.0)
    assert made["rows"]["grounded"]["MME-4"] is None
    calibrated = made["rows"]["baseline, yes-ratio of grounded"]
    assert calibrated["yes-ratio"] == 0.5 and calibrated["existence"] == pytest.approx(100 * (0.5 + 0.25))


@pytest.mark.parametrize("change, word", [
    (["--callable", "nowhere:f"], "nowhere"), (["--callable", "eval_model"], "module:function"),
    (["--callable", "eval_model:absent"], "absent"), (["--questions", "/nowhere.jsonl"], "/nowhere.jsonl"),
    (["--out", "/nowhere/run.jsonl"], "/nowhere")])
def test_failures_are_one_line_and_exit_code_1(folder, capsys, change, word):
    arguments = [str(part) for part in pope_run(folder)]
    arguments[arguments.index(change[0]) + 1] = change[1]
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and word in error


def test_as_a_program(folder):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "client/python/src"), str(folder)])}

    def program(*arguments):
        return subprocess.run([sys.executable, "-m", "objectdino.eval", *map(str, arguments)], capture_output=True, text=True,
                              env=environment, cwd=folder, timeout=120, check=False)
    done = program(*pope_run(folder))
    assert done.returncode == 0 and "yes-ratio" in done.stdout and not done.stderr, done.stderr
    wrong = program("pope", "run")
    assert wrong.returncode == 2 and "--questions" in wrong.stderr
    nothing = program(*pope_run(folder, "--out", folder / "second.jsonl", model="eval_model:nothing"))
    assert nothing.returncode == 1 and "4 questions ended in errors" in nothing.stderr
    assert all("not a string" in row["error"] for row in rows_of(folder / "second.jsonl")[1:])
