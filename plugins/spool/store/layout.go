package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/hookswitch/hookswitch/plugins/delivery"
)

// layout is the version of the tables. A file of a newer layout is refused.
const layout = 1

// application marks an SQLite file as ours.
const application = 0x486f6f6b // "Hook"

// schema makes the tables. What a delivery is never changes and lies in delivery; what
// its refusals change lies in attempt, so that an outage, which marks ten thousand
// records again and again, rewrites no body. The view spool joins both for an
// operator.
//
// The one row of state has the newest id, so that no id is used again when the newest
// record is gone, and the counts, so that opening a large file reads a page of it. The
// connection that commits keeps state by itself, with triggers off, since a trigger a
// row costs too much there. Every other connection has the triggers.
//
// An operator looks into the file with "sqlite3 -readonly", and changes records with an
// Inspector. SQLite's own program knows nothing of the checksums of pages: when it
// writes, or checkpoints at its end, the store takes the pages for damaged, and copies
// all records into a new file.
const schema = `
CREATE TABLE delivery (
  id        INTEGER PRIMARY KEY,
  stored_at INTEGER NOT NULL, -- microseconds of Unix time
  sum       INTEGER NOT NULL, -- CRC-32C of metadata, body and id
  metadata  TEXT NOT NULL,    -- a JSON object
  body      BLOB NOT NULL
);
CREATE TABLE attempt (
  id           INTEGER PRIMARY KEY,
  attempts     INTEGER NOT NULL,
  last_error   TEXT NOT NULL,
  next_attempt INTEGER NOT NULL, -- microseconds of Unix time
  parked       INTEGER NOT NULL
);
CREATE INDEX attempt_parked ON attempt (next_attempt) WHERE parked;
CREATE TABLE state (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  newest  INTEGER NOT NULL, -- the greatest id that was ever given
  records INTEGER NOT NULL,
  parked  INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0, 0, 0);
CREATE TRIGGER delivery_inserted AFTER INSERT ON delivery BEGIN
  UPDATE state SET records = records + 1, newest = max(newest, new.id);
END;
CREATE TRIGGER delivery_deleted AFTER DELETE ON delivery BEGIN
  UPDATE state SET records = records - 1;
  DELETE FROM attempt WHERE id = old.id;
END;
CREATE TRIGGER attempt_inserted AFTER INSERT ON attempt WHEN new.parked BEGIN
  UPDATE state SET parked = parked + 1;
END;
CREATE TRIGGER attempt_updated AFTER UPDATE ON attempt WHEN new.parked <> old.parked BEGIN
  UPDATE state SET parked = parked + new.parked - old.parked;
END;
CREATE TRIGGER attempt_deleted AFTER DELETE ON attempt WHEN old.parked BEGIN
  UPDATE state SET parked = parked - 1;
END;
CREATE VIEW spool AS SELECT
  d.id,
  strftime('%Y-%m-%dT%H:%M:%fZ', d.stored_at / 1e6, 'unixepoch') AS stored_at,
  d.metadata ->> '$.` + delivery.KeyReceivedAt + `' AS received_at,
  d.metadata ->> '$.` + delivery.KeyVendor + `' AS vendor,
  d.metadata ->> '$.` + delivery.KeyEvent + `' AS event,
  d.metadata ->> '$.` + delivery.KeyAccount + `' AS account,
  d.metadata ->> '$.` + delivery.KeyID + `' AS delivery_id,
  coalesce(a.attempts, 0) AS attempts,
  coalesce(a.last_error, '') AS last_error,
  strftime('%Y-%m-%dT%H:%M:%fZ', a.next_attempt / 1e6, 'unixepoch') AS next_attempt,
  coalesce(a.parked, 0) AS parked,
  d.metadata,
  d.body
FROM delivery d LEFT JOIN attempt a ON a.id = d.id;
`

// insertDelivery inserts a record as a row of delivery.
const insertDelivery = `INSERT INTO delivery (id, stored_at, sum, metadata, body) VALUES (?, ?, ?, ?, ?)`

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf and sumWithID return the checksum of a record. SQLite's checksums are those of
// pages, and only of the main file; that of a record shows whether the record is whole
// wherever it was found.
func sumOf(metadata, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(metadata, castagnoli), castagnoli, body)
}

func sumWithID(sum uint32, id int64) uint32 {
	return crc32.Update(sum, castagnoli, binary.BigEndian.AppendUint64(nil, uint64(id)))
}

// micros returns a time in microseconds of Unix time, and 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros is the reverse of micros.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// inBase64 begins a key that JSON text cannot hold, and any key that begins so.
const inBase64 = "base64:"

// appendMetadata appends metadata as a JSON object. A value that is no UTF-8 is
// {"base64": "…"}.
func appendMetadata(b []byte, metadata map[string]string) []byte {
	b = append(b, '{')
	comma := false
	for key, value := range metadata {
		if comma {
			b = append(b, ',')
		}
		comma = true
		if !utf8.ValidString(key) || strings.HasPrefix(key, inBase64) {
			key = inBase64 + base64.StdEncoding.EncodeToString([]byte(key))
		}
		b, _ = jsontext.AppendQuote(b, key) // valid UTF-8, so no error
		b = append(b, ':')
		if utf8.ValidString(value) {
			b, _ = jsontext.AppendQuote(b, value)
			continue
		}
		b = append(b, `{"base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, []byte(value))
		b = append(b, `"}`...)
	}
	return append(b, '}')
}

// parseMetadata reads what appendMetadata wrote, and keeps nothing of b.
func parseMetadata(b []byte) (map[string]string, error) {
	metadata := make(map[string]string, 16)
	d := jsontext.NewDecoder(bytes.NewBuffer(b))
	token, err := d.ReadToken()
	if err != nil || token.Kind() != '{' {
		return nil, fmt.Errorf("reading metadata: expected a JSON object: %w", err)
	}
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, fmt.Errorf("reading metadata: %w", err)
		}
		key := token.String()
		if coded, ok := strings.CutPrefix(key, inBase64); ok {
			plain, err := base64.StdEncoding.DecodeString(coded)
			if err != nil {
				return nil, fmt.Errorf("reading a key of the metadata: %w", err)
			}
			key = string(plain)
		}
		if d.PeekKind() == '"' {
			token, err := d.ReadToken()
			if err != nil {
				return nil, fmt.Errorf("reading metadata: %w", err)
			}
			metadata[key] = token.String()
			continue
		}
		value, err := readCoded(d)
		if err != nil {
			return nil, fmt.Errorf("reading metadata: %w", err)
		}
		metadata[key] = value
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	return metadata, nil
}

// readCoded reads {"base64": "…"}.
func readCoded(d *jsontext.Decoder) (string, error) {
	var value string
	for _, kind := range []jsontext.Kind{'{', '"', '"', '}'} {
		token, err := d.ReadToken()
		if err != nil {
			return "", err
		}
		if token.Kind() != kind {
			return "", fmt.Errorf("expected a string or {\"base64\": \"…\"}, got %s", token.Kind())
		}
		if kind == '"' {
			value = token.String()
		}
	}
	plain, err := base64.StdEncoding.DecodeString(value)
	return string(plain), err
}

// lastErrorBytes bounds what is kept of an error of the output.
const lastErrorBytes = 512

// shorten cuts a text to at most limit bytes of valid UTF-8.
func shorten(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
