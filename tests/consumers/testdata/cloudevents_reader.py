"""Reads CloudEvents with the SDK of Python, and writes each of them as a line of JSON.

    http     of the requests to the URL that is the first line of the output
    kafka    of the records that are lines of the input: {"headers", "key", "value"}

It ends at the end of the input. What the SDK does not read is a line {"error"}.
"""

import http.server
import json
import math
import sys
import threading

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

lock = threading.Lock()


def finite(value):
    """Returns a value with None for what JSON cannot write."""
    if isinstance(value, dict):
        return {key: finite(member) for key, member in value.items()}
    if isinstance(value, list):
        return [finite(element) for element in value]
    return None if isinstance(value, float) and math.isinf(value) else value


def write(read, text):
    try:
        event = read()
        line = {**event.get_attributes(), "data": finite(event.get_data())}
        # The SDK gives an event that has no time the present time.
        if "time" not in json.loads(text):
            del line["time"]
    except Exception as error:
        line = {"error": repr(error)}
    with lock:
        print(json.dumps(line, default=lambda time: time.isoformat()), flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        write(lambda: from_http_event(HTTPMessage(headers=dict(self.headers), body=body)), body)
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
        message = KafkaMessage(headers=headers, key=record["key"].encode(), value=record["value"].encode())
        write(lambda: from_kafka_event(message), message.value)
