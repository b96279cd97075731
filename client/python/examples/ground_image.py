import sys

from objectdino import GroundingClient

address, path = sys.argv[1:]
with GroundingClient(address, timeout=30) as client:
    grounding = client.ground(path)
for found in grounding.objects:
    x1, y1, x2, y2 = found.box
    print(f"#{found.index + 1} {found.score:.2f} {x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f}")
