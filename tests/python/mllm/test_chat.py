# SPDX-License-Identifier: Apache-2.0
"""Grounded messages and yes/no answers: a real GroundingClient against the fake grounding server, over gRPC, and the openai
package against a stub server, over HTTP."""
import asyncio
import base64
import copy
import io
import math
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "client" / "python" / "src"))

from openai_stub import OpenAiStub, completion, images_of, texts_of  # first: sets the environment

import openai
from objectdino import AsyncGroundingClient, GroundingClient, errors
from objectdino.chat import (ANSWER, AsyncGroundedChat, GroundedChat, GroundingUnavailableWarning, aground_messages, blend_yes_no,
                             ground_messages, image_part, user_message)
from objectdino.testing import Failure, FakeServer, make_answer

PHOTO = Image.open(ROOT / "examples/astronaut.jpg").convert("RGB").resize((64, 48))
BOXES = [((8, 6, 32, 30), 0.9), ((40, 24, 60, 42), 0.6)]


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.fixture
def fake():
    with FakeServer() as server:
        yield server


@pytest.fixture
def client(fake):
    with GroundingClient(fake.target) as made:
        yield made


def conversation(*images):
    return [{"role": "system", "content": "Be brief."}, user_message("And this?", PHOTO), {"role": "assistant", "content": "Noise."},
            user_message("What is there?", *images)]


def kinds(message):
    return ["image" if part["type"] == "image_url" else part["text"].split()[0] for part in message["content"]]


# ---------------------------------------------------------------- messages

def test_the_highlighted_image_follows_its_image(fake, client):
    fake.script(make_answer((48, 64), BOXES))
    before = conversation(PHOTO)
    kept = copy.deepcopy(before)
    grounded = ground_messages(before, client)
    assert before == kept, "the caller's messages were changed"
    assert grounded.messages[:3] == before[:3] and grounded.degraded == ""
    assert kinds(grounded.messages[3]) == ["image", "The", "image", "What"]
    assert "tinted red" in texts_of(grounded.messages[3])[0]
    original, highlighted = images_of(grounded.messages[3])
    assert np.array_equal(np.asarray(original), np.asarray(PHOTO)), "sent with a loss"
    expected = np.asarray(grounded.guidance[0].grounding.highlight(PHOTO), dtype=int)
    errors_of = [np.abs(np.asarray(image, dtype=int) - expected).mean() for image in (highlighted, original)]
    assert errors_of[0] < errors_of[1] / 2
    assert len(fake.requests) == 1, "the earlier message was grounded, too"


def test_every_image_of_the_message_is_grounded(fake, client):
    other = PHOTO.resize((32, 32))
    grounded = ground_messages(conversation(PHOTO, other), client, style="jet")
    assert kinds(grounded.messages[3]) == ["image", "The", "image", "image", "The", "image", "What"]
    assert [image.size for image in images_of(grounded.messages[3])] == [(64, 48), (64, 48), (32, 32), (32, 32)]
    assert "warm" in texts_of(grounded.messages[3])[1] and len(grounded.guidance) == 2


def test_regions_as_crops_and_as_text(fake, client):
    fake.script(*[make_answer((48, 64), BOXES)] * 3)
    crops = ground_messages(conversation(PHOTO), client, mode="crops")
    assert kinds(crops.messages[3]) == ["image", "The", "image", "image", "What"] and "2 images" in texts_of(crops.messages[3])[0]
    sizes = [crop.size for crop in crops.guidance[0].grounding.crops(PHOTO)]
    assert [image.size for image in images_of(crops.messages[3])][1:] == sizes
    fewer = ground_messages(conversation(PHOTO), client, mode="crops", max_crops=1)
    assert len(images_of(fewer.messages[3])) == 2
    text = ground_messages(conversation(PHOTO), client, mode="text")
    assert texts_of(text.messages[3])[0] == text.guidance[0].grounding.prompt() and len(images_of(text.messages[3])) == 1


def test_an_image_without_objects_stays_alone(fake, client):
    fake.script(*[make_answer((48, 64), [], warnings=[("no_clear_object", "flat")])] * 3)
    for mode in ("highlight", "crops", "text"):
        grounded = ground_messages(conversation(PHOTO), client, mode=mode)
        assert grounded.messages == conversation(PHOTO) and grounded.degraded == ""


def test_messages_without_images_are_left_alone(fake, client):
    messages = [{"role": "user", "content": "Hello"}, {"role": "user", "content": [{"type": "text", "text": "you"}]}]
    assert ground_messages(messages, client).messages == messages and not fake.requests


def test_nothing_is_fetched_and_wrong_urls_are_refused(fake, client):
    for url in ("http://127.0.0.1:1/a.png", "file:///etc/hostname", "data:text/plain;base64,aaaa", "data:image/png;base64,%%%"):
        with pytest.raises(ValueError, match="data URL"):
            ground_messages([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}], client)
    with pytest.raises(errors.InvalidImage):
        image_part(b"not an image")
    with pytest.raises(ValueError, match="mode"):
        ground_messages(conversation(PHOTO), client, mode="boxes")
    with pytest.raises(ValueError, match="boxes"):
        ground_messages(conversation(PHOTO), PHOTO, mode="crops")
    assert not fake.requests


def test_without_a_server_the_messages_stay_as_they_are_loudly(fake, client):
    fake.script(Failure("DEADLINE_EXCEEDED"))
    with pytest.warns(GroundingUnavailableWarning, match="Timeout"):
        grounded = ground_messages(conversation(PHOTO), client)
    assert grounded.messages == conversation(PHOTO) and "Timeout" in grounded.degraded
    fake.script(Failure("UNAUTHENTICATED"))
    with pytest.raises(errors.Unauthenticated):
        ground_messages(conversation(PHOTO), client)


def test_image_parts_are_upright_and_lossless(tmp_path):
    jpeg = encoded(PHOTO, "JPEG")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    for same in (jpeg, tmp_path / "a.jpg", str(tmp_path / "a.jpg")):
        assert image_part(same)["image_url"]["url"] == "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = images_of({"content": [image_part(encoded(PHOTO, "JPEG", exif=exif))]})[0]
    assert (turned.format, turned.size) == ("PNG", (48, 64))
    assert images_of({"content": [image_part(encoded(PHOTO, "BMP"))]})[0].format == "PNG"


# ---------------------------------------------------------------- yes or no

def listed(logits, count):
    """The `count` most likely tokens, with log-probabilities."""
    p = logits - np.log(np.exp(logits).sum())
    names = ["Yes", " yes", "YES", "No", " no", "no."] + [f"word{i}" for i in range(len(p) - 6)]
    return {names[i]: float(p[i]) for i in np.argsort(-p)[:count]}


def test_yes_no_is_what_whole_distributions_give():
    random, exact, open_ = np.random.RandomState(7), 0, 0
    for trial in range(800):
        original, highlighted = random.normal(size=(2, 60)) * 3
        original[:6] += random.uniform(-2, 5)
        highlighted[:6] += random.uniform(-2, 5)
        alpha = (0.4, 0.0, 1.0, 0.7)[trial % 4]
        blended = alpha * original + (1 - alpha) * highlighted
        expected = "yes" if blended[:3].max() > blended[3:6].max() else "no"
        whole = blend_yes_no(listed(original, 60), listed(highlighted, 60), alpha=alpha)
        assert (whole.answer, whole.exact) == (expected, True)
        gap = blended[:3].max() - blended[3:6].max()
        assert whole.p_yes == pytest.approx(1 / (1 + math.exp(-gap)))
        few = blend_yes_no(listed(original, 8), listed(highlighted, 8), alpha=alpha)
        assert few.answer == expected or not few.exact
        exact += few.exact
        open_ += few.answer is None
    assert 100 < exact < 790 and open_ > 0, "the test sees neither or both kinds"


def test_yes_no_of_one_call_and_of_none():
    yes, words = {"Yes": -0.1, " No": -2.5}, {"The": -0.1, "A": -2.0}
    alone = blend_yes_no(yes, None)
    assert (alone.answer, alone.exact, alone.p_highlighted) == ("yes", True, None)
    assert [alone.p_yes, alone.p_original] == pytest.approx([1 / (1 + math.exp(-2.4))] * 2)
    other = blend_yes_no(yes, words)
    assert (other.answer, other.exact, other.p_highlighted) == ("yes", False, None)
    assert blend_yes_no(words, words).answer is None and blend_yes_no({"Yes": -1.0, "No": -1.0}, None).answer is None
    assert blend_yes_no({"None": -0.1, "Not": -1, "Nobody": -2}, None).answer is None, "words that begin like no"
    with pytest.raises(ValueError, match="log-prob"):
        blend_yes_no({}, yes)
    with pytest.raises(ValueError, match="alpha"):
        blend_yes_no(yes, yes, alpha=2)


# ---------------------------------------------------------------- over HTTP

def answer_by_prompt(request):
    """Says yes to the photograph, and more firmly no to its highlighted copy."""
    highlighted = "highlighted region" in texts_of(request["messages"][-1])[-1]
    if not request.get("logprobs"):
        return completion(f"{len(images_of(request['messages'][-1]))} images")
    return completion("No" if highlighted else "Yes", {"Yes": -2.3, "No": -0.1} if highlighted else {"Yes": -0.3, "No": -1.4})


async def run_async(fake, url, action, **options):
    async with AsyncGroundingClient(fake.target) as grounding, AsyncGroundedChat(grounding, model="m", base_url=url, **options) as chat:
        return await action(chat)


@pytest.mark.parametrize("twin", ["blocking", "asynchronous"])
def test_yes_no_makes_two_calls(fake, client, monkeypatch, twin):
    monkeypatch.setenv("STUB_KEY", "sesame")
    with OpenAiStub(answer_by_prompt) as stub:
        def ask(alpha):
            if twin == "blocking":
                with GroundedChat(client, model="m", base_url=stub.url, api_key_env="STUB_KEY") as chat:
                    return chat.yes_no(PHOTO, "Is there a dog?", alpha=alpha, seed=5)
            return asyncio.run(run_async(fake, stub.url, lambda chat: chat.yes_no(PHOTO, "Is there a dog?", alpha=alpha, seed=5),
                                         api_key_env="STUB_KEY"))
        answer = ask(0.4)
        assert ask(1.0).answer == "yes"
    assert (answer.answer, answer.exact, answer.degraded) == ("no", True, "")
    assert answer.p_yes == pytest.approx(1 / (1 + math.exp(-(0.4 * 1.1 - 0.6 * 2.2))))
    assert answer.p_original > 0.5 > answer.p_highlighted
    requests = sorted(stub.requests[:2], key=lambda request: "highlighted" in texts_of(request["messages"][0])[0])
    assert [texts_of(request["messages"][0])[0] for request in requests] == list(ANSWER.fill("Is there a dog?"))
    pictures = [images_of(request["messages"][0])[0] for request in requests]
    assert pictures[0].size == pictures[1].size and pictures[0].tobytes() != pictures[1].tobytes()
    for request in requests:
        assert {"model": "m", "max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 20, "seed": 5}.items() <= (
            request.items())
    assert {headers["authorization"] for headers in stub.headers} == {"Bearer sesame"}


@pytest.mark.parametrize("twin", ["blocking", "asynchronous"])
def test_complete_sends_grounded_messages(fake, client, twin):
    with OpenAiStub(answer_by_prompt) as stub:
        if twin == "blocking":
            with GroundedChat(client, model="m", base_url=stub.url) as chat:
                answer = chat.complete(conversation(PHOTO), max_tokens=7)
        else:
            answer = asyncio.run(run_async(fake, stub.url, lambda chat: chat.complete(conversation(PHOTO), max_tokens=7)))
    assert (answer.text, answer.degraded) == ("2 images", "") and answer.raw.model == "stub"
    assert stub.requests[0]["messages"] == answer.grounded.messages and stub.requests[0]["max_tokens"] == 7
    assert asyncio.run(aground_messages(conversation(PHOTO), PHOTO)).messages != conversation(PHOTO)


def test_a_dead_grounding_server_leaves_one_call(fake, client):
    fake.script(*[Failure("DEADLINE_EXCEEDED")] * 2)
    with OpenAiStub(answer_by_prompt) as stub, GroundedChat(client, model="m", base_url=stub.url) as chat:
        with pytest.warns(GroundingUnavailableWarning):
            answer = chat.yes_no(PHOTO, "Is there a dog?")
        assert (answer.answer, len(stub.requests)) == ("yes", 1) and "Timeout" in answer.degraded
        with pytest.warns(GroundingUnavailableWarning):
            assert chat.complete(conversation(PHOTO)).text == "1 images"


def test_the_api_may_ask_to_come_back_or_refuse(client):
    answers = [(429, {"retry-after-ms": "1"}, {"error": {"message": "slow down"}}), completion("hello"),
               (400, {}, {"error": {"message": "no such model"}})]
    with OpenAiStub(lambda request: answers.pop(0)) as stub, GroundedChat(client, model="m", base_url=stub.url) as chat:
        assert chat.complete([{"role": "user", "content": "hi"}]).text == "hello" and len(stub.requests) == 2
        with pytest.raises(openai.BadRequestError, match="no such model"):
            chat.complete([{"role": "user", "content": "hi"}])


def test_an_endpoint_without_log_probabilities_is_an_error(client):
    with OpenAiStub(lambda request: completion("Yes")) as stub, GroundedChat(client, model="m", base_url=stub.url) as chat:
        with pytest.raises(ValueError, match="log-prob"):
            chat.yes_no(PHOTO, "Is there a dog?")


def test_a_hosted_api_needs_its_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        GroundedChat(None, model="m")
    mine = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:1/v1")
    with GroundedChat(None, model="m", client=mine):
        pass
    assert not mine.is_closed(), "a caller's client was closed"
