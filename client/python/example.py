import sys

import grpc
from objectdino.v1 import grounding_service_pb2 as pb
from objectdino.v1 import grounding_service_pb2_grpc as rpc

address, path = sys.argv[1:]
with grpc.insecure_channel(address) as channel, open(path, "rb") as file:
    request = pb.GroundRequest(image=pb.Image(encoded=file.read()))
    response = rpc.GroundingServiceStub(channel).Ground(request, timeout=30)
for found in response.objects:
    box = found.box
    print(f"#{found.index + 1} {found.score:.2f} {box.x1:.0f} {box.y1:.0f} {box.x2:.0f} {box.y2:.0f}")
