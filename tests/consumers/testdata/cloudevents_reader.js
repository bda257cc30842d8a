// Reads CloudEvents with the SDK of JavaScript, and writes each of them as a line of JSON.
//
//     http     of the requests to the URL that is the first line of the output
//     kafka    of the records that are lines of the input: {"headers", "key", "value"}
//
// It ends at the end of the input. What the SDK does not read is a line {"error"}.
const http = require("node:http");
const readline = require("node:readline");
const { HTTP, Kafka } = require("cloudevents");

function write(read, text) {
  let line;
  try {
    line = { ...read() };
    // The SDK gives an event that has no time the present time.
    if (!("time" in JSON.parse(text))) {
      delete line.time;
    }
  } catch (error) {
    line = { error: String(error) };
  }
  console.log(JSON.stringify(line));
}

if (process.argv[2] === "http") {
  const server = http.createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) {
      body += chunk;
    }
    write(() => HTTP.toEvent({ headers: request.headers, body }), body);
    response.writeHead(204).end();
  });
  server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
  process.stdin.resume().on("end", () => process.exit());
} else {
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const record = JSON.parse(line);
    // Kafka.toEvent fails on an event that has no time, though CloudEvents allows it.
    const read = "time" in JSON.parse(record.value)
      ? () => Kafka.toEvent(record)
      : () => HTTP.toEvent({ headers: record.headers, body: record.value });
    write(read, record.value);
  });
}
