import sys

from objectdino import GroundingClient, annotate, find_boxes, regions_from_boxes
from objectdino.guidance import load_image

address, path, answer = sys.argv[1:]  # the answer of a model that gives boxes from 0 to 1000
found = find_boxes(answer)
width, height = load_image(path).size
regions = regions_from_boxes(found, (height, width), scale="thousand")
with GroundingClient(address, timeout=30) as client:
    print(annotate(answer, found, client.verify(path, regions)))
