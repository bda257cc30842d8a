"""Reads CloudEvents with the SDK of Python, and writes each of them as a line of JSON.

    http     of the requests to the URL that is the first line of the output
    kafka    of the records that are lines of the input: {"headers", "key", "value"}

It ends at the end of the input. What the SDK does not read is a line {"error"}.
"""

import http.server
import json
import sys
import threading

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

lock = threading.Lock()


def write(read):
    try:
        event = read()
        line = {**event.get_attributes(), "data": event.get_data()}
    except Exception as error:
        line = {"error": repr(error)}
    with lock:
        print(json.dumps(line, default=lambda time: time.isoformat()), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        write(lambda: from_http_event(HTTPMessage(headers=dict(self.headers), body=body)))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


if sys.argv[1] == "http":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    sys.stdin.read()
else:
    for line in sys.stdin:
        record = json.loads(line)
        headers = {name: value.encode() for name, value in record["headers"].items()}
        write(lambda: from_kafka_event(KafkaMessage(headers=headers, key=record["key"].encode(), value=record["value"].encode())))
