"""A collector of OTLP over HTTP that writes down what it gets, decoded by the classes that OpenTelemetry publishes.

Usage: collector.py FOLDER HEADER VALUE

Prints its port. Each request must have the header. FOLDER/received.jsonl gets a line of JSON for each span and for each
set of metrics, FOLDER/received.bin the bytes of all requests. Numbers of metrics have the names that Prometheus gives
them, so that both can be compared.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

folder, header, value = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
lock = threading.Lock()


def plain(value):
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def attributes(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def spans(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "span": span.span_id.hex(),
                    "trace": span.trace_id.hex(),
                    "parent": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": span.kind,
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "attributes": attributes(span.attributes),
                    "status": span.status.code,
                    "extras": [len(span.events), len(span.links), span.trace_state, span.status.message],
                    "resource": attributes(resource.resource.attributes),
                }


def bound(number):
    """As Prometheus writes the upper bound of a bucket."""
    return str(int(number)) if number == int(number) else repr(number)


def key(name, pairs, extra=()):
    labels = sorted([(pair.key, plain(pair.value)) for pair in pairs] + list(extra))
    inner = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{name}{{{inner}}}" if inner else name


def series(metric):
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points:
        if kind == "histogram":
            count = 0
            bounds = [bound(number) for number in point.explicit_bounds] + ["+Inf"]
            for upper, own in zip(bounds, point.bucket_counts, strict=True):
                count += own
                yield key(metric.name + "_bucket", point.attributes, [("le", upper)]), count
            yield key(metric.name + "_sum", point.attributes), point.sum
            yield key(metric.name + "_count", point.attributes), point.count
        else:
            yield key(metric.name, point.attributes), getattr(point, point.WhichOneof("value"))


def metrics(request):
    for resource in request.resource_metrics:
        found = {}
        kinds = {}
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found.update(series(metric))
                kind = metric.WhichOneof("data")
                kinds[metric.name] = "counter" if kind == "sum" and metric.sum.is_monotonic else kind
        yield {"series": found, "kinds": kinds, "resource": attributes(resource.resource.attributes)}


SIGNALS = {
    "/v1/traces": (trace_service_pb2.ExportTraceServiceRequest, spans),
    "/v1/metrics": (metrics_service_pb2.ExportMetricsServiceRequest, metrics),
}


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get(header) != value:
            self.answer(401)
            return
        if self.path not in SIGNALS or self.headers["content-type"] != "application/x-protobuf":
            self.answer(415)
            return
        message, decode = SIGNALS[self.path]
        lines = [json.dumps(line) for line in decode(message.FromString(body))]
        with lock:
            with (folder / "received.bin").open("ab") as file:
                file.write(body)
            with (folder / "received.jsonl").open("a") as file:
                file.write("".join(line + "\n" for line in lines))
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
print(server.server_address[1], flush=True)
server.serve_forever()
