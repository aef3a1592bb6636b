"""health.py PORT STATUS: a gRPC server with the standard health service."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

port, status = sys.argv[1:3]
server = grpc.server(ThreadPoolExecutor(2))
servicer = health.HealthServicer()
if status != "none":
    servicer.set("", health_pb2.HealthCheckResponse.ServingStatus.Value(status))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
server.add_insecure_port(f"127.0.0.1:{port}")
server.start()
print("up", flush=True)  # noqa: T201 - that is how it says so
server.wait_for_termination()
