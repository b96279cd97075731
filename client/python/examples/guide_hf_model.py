import sys

from transformers import AutoModelForImageTextToText, AutoProcessor

from objectdino import GroundingClient
from objectdino.generation import dual_branch_generate

address, name, path, question = sys.argv[1:]
processor = AutoProcessor.from_pretrained(name)
model = AutoModelForImageTextToText.from_pretrained(name, dtype="auto").eval()
with GroundingClient(address, timeout=30) as client:
    answer = dual_branch_generate(model, processor, path, question, client)
print(answer.text)
if answer.degraded:
    print(f"without guidance: {answer.degraded}", file=sys.stderr)
