package webhook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// framed is a request as bytes, and how the door reads it: with which status the
// first answer comes, and which bodies are deliveries.
type framed struct {
	request string
	status  int
	bodies  []string
}

// limitsOfFraming are those of the door that framing is about.
const limitsOfFraming = "body: 64KiB"

// inside is a request that stands behind another one, or in its body: who reads a
// boundary wrongly takes it for what it is not.
const inside = "POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 8\r\n\r\nsmuggled"

// framings are HTTP/1.1 with its ambiguities and obsolete forms, as net/http reads
// them. Where a length and a coding stand together the coding holds, as RFC 9112
// asks, so that a proxy in front which keeps to it sees the same boundaries.
func framings() map[string]framed {
	const (
		post    = "POST /open HTTP/1.1\r\nHost: door\r\n"
		length  = post + "Content-Length: 2\r\n"
		chunked = post + "Transfer-Encoding: chunked\r\n"
		last    = "0\r\n\r\n"
	)
	whole := fmt.Sprintf("Content-Length: %d\r\n", len(inside))
	return map[string]framed{
		"two lengths":                       {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\nContent-Length: 66\r\n\r\n{}" + inside, 400, nil},
		"list of lengths":                   {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2, 66\r\n\r\n{}" + inside, 400, nil},
		"length with a sign":                {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: +2\r\n\r\n{}", 400, nil},
		"length below none":                 {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: -2\r\n\r\n{}", 400, nil},
		"length of another base":            {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 0x2\r\n\r\n{}", 400, nil},
		"length beyond numbers":             {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 18446744073709551618\r\n\r\n{}", 400, nil},
		"two hosts":                         {"POST /open HTTP/1.1\r\nHost: door\r\nHost: other\r\nContent-Length: 2\r\n\r\n{}", 400, nil},
		"no host":                           {"POST /open HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 400, nil},
		"space before the colon":            {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length : 2\r\n\r\n{}", 400, nil},
		"continued line":                    {"POST /open HTTP/1.1\r\nHost: door\r\nX: a\r\n Content-Length: 2\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"continued line, the first":         {"POST /open HTTP/1.1\r\n Host: door\r\n\r\n" + inside, 400, nil},
		"lines without return":              {"POST /open HTTP/1.1\nHost: door\nContent-Length: 2\n\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"a line without return":             {"POST /open HTTP/1.1\r\nHost: door\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"a header that ends without":        {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"length and coding":                 {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"coding and length":                 {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"coding of a long name":             {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + inside, 501, nil},
		"coding behind a tabulator":         {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding:\tchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200, []string{"{}"}},
		"no name":                           {"POST /open HTTP/1.1\r\nHost: door\r\n: 2\r\n\r\n", 400, nil},
		"no colon":                          {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length\r\n\r\n", 400, nil},
		"no length in its field":            {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length:\r\n\r\n{}", 400, nil},
		"two spaces":                        {"POST  /open HTTP/1.1\r\nHost: door\r\n\r\n", 400, nil},
		"space in the path":                 {"POST /open /x HTTP/1.1\r\nHost: door\r\n\r\n", 400, nil},
		"no version":                        {"POST /open\r\nHost: door\r\n\r\n", 400, nil},
		"a version of its own":              {"POST /open HTTP/1.10\r\nHost: door\r\n\r\n", 400, nil},
		"no method":                         {" /open HTTP/1.1\r\nHost: door\r\n\r\n", 400, nil},
		"HTTP/2.0":                          {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, nil},
		"host with a space":                 {"POST /open HTTP/1.1\r\nHost: do or\r\n\r\n", 400, nil},
		"an expectation of its own":         {"POST /open HTTP/1.1\r\nHost: door\r\nExpect: 200-ok\r\nContent-Length: 2\r\n\r\n{}", 417, nil},
		"a trailer":                         {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 8\r\n\r\n", 400, nil},
		"a trailer without end":             {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + strings.Repeat("X: y\r\n", 200) + "\r\n", 200, []string{"{}"}},
		"a trailer too large":               {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: " + strings.Repeat("y", 64<<10) + "\r\n\r\n", 400, nil},
		"lines before the request":          {"\r\nPOST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}", 400, nil},
		"two requests":                      {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"two requests, the first in chunks": {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"two requests, the first refused":   {"PUT /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 405, nil},
		"many fields":                       {"POST /open HTTP/1.1\r\nHost: door\r\n" + strings.Repeat("a: b\r\n", maxFields+1) + "\r\n" + inside, 431, []string{"smuggled"}},
		"as many fields as may be":          {"POST /open HTTP/1.1\r\nHost: door\r\n" + strings.Repeat("a: b\r\n", maxFields-1) + "\r\n", 200, []string{""}},
		"two codings":                       {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inside, 501, nil},
		"unknown coding":                    {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: xchunked\r\nContent-Length: 66\r\n\r\n" + inside, 501, nil},
		"coding in HTTP/1.0":                {"POST /open HTTP/1.0\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, nil},
		"coding in HTTP/1.0 that stays":     {"POST /open HTTP/1.0\r\nHost: door\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + last + inside, 400, nil},
		"HTTP/1.0 of no length":             {"POST /open HTTP/1.0\r\nHost: door\r\nConnection: keep-alive\r\n\r\n" + inside, 400, nil},
		"chunk of a size with a sign":       {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n" + inside, 400, nil},
		"chunk of a size beyond numbers":    {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\n{}\r\n0\r\n\r\n" + inside, 400, nil},
		"chunk that ends elsewhere":         {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n" + inside, 400, nil},
		"chunk of a large extension":        {"POST /open HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n2;" + strings.Repeat("a", 100_000) + "\r\n{}\r\n0\r\n\r\n" + inside, 400, nil},
		"NUL in a header":                   {"POST /open HTTP/1.1\r\nHost: door\r\nX: a\x00b\r\nContent-Length: 2\r\n\r\n{}", 400, nil},
		"return in a header":                {"POST /open HTTP/1.1\r\nHost: door\r\nX: a\rContent-Length: 2\r\n\r\n{}", 400, nil},
		"HTTP/3.0":                          {"POST /open HTTP/3.0\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}", 505, nil},
		"header too large":                  {"POST /open HTTP/1.1\r\nHost: door\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", 431, nil},
		"path too large":                    {"POST /" + strings.Repeat("a", 64<<10) + " HTTP/1.1\r\nHost: door\r\n\r\n", 431, nil},
		"broken escape in the path":         {"POST /open%zz HTTP/1.1\r\nHost: door\r\n\r\n", 400, nil},
		"one length twice":                  {"POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 200, []string{"{}"}},
		"a length in the body of a length":  {fmt.Sprintf("POST /open HTTP/1.1\r\nHost: door\r\nContent-Length: %d\r\n\r\n%s", len(inside), inside), 200, []string{inside}},
		// Lengths.
		"length of leading noughts":        {post + "Content-Length: 002\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"length with a letter":             {post + "Content-Length: 2Z\r\n\r\n{}" + inside, 400, nil},
		"length with an underscore":        {post + "Content-Length: 0_2\r\n\r\n{}" + inside, 400, nil},
		"length with a space inside":       {post + "Content-Length: 2 2\r\n\r\n{}" + inside, 400, nil},
		"length with spaces around":        {post + "Content-Length:  2 \t\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"length with a vertical tabulator": {post + "Content-Length: \v2\r\n\r\n{}" + inside, 400, nil},
		"length with a point":              {post + "Content-Length: 2.0\r\n\r\n{}" + inside, 400, nil},
		"list of one length":               {post + "Content-Length: 2, 2\r\n\r\n{}" + inside, 400, nil},
		"no length, then a length":         {post + "Content-Length:\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"length behind a bare return":      {post + "X: a\r\n\rContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"length of another spelling":       {post + "Content_Length: 66\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"length of a name beyond ASCII":    {post + "Content-Length\x85: 66\r\n\r\n" + inside, 400, nil},
		"length of none, and a request":    {post + "Content-Length: 0\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"no length at all, and a request":  {post + "\r\n" + inside, 200, []string{"", "smuggled"}},
		"less than its length":             {post + "Content-Length: 200\r\n\r\n" + inside, 400, nil},
		// Codings.
		"coding of odd case":                 {post + "tRANSFER-eNCODING: ChUnKeD\r\n\r\n2\r\n{}\r\n" + last + inside, 200, []string{"{}", "smuggled"}},
		"coding twice in one field":          {post + "Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n" + last + inside, 501, nil},
		"coding twice":                       {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + last + inside, 501, nil},
		"coding behind a vertical tabulator": {post + "Transfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 400, nil},
		"coding behind a form feed":          {post + "Transfer-Encoding: \fchunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 400, nil},
		"coding behind a byte beyond ASCII":  {post + "Transfer-Encoding: \xa0chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"coding behind a comma":              {post + "Transfer-Encoding: ,chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"coding with a semicolon":            {post + "Transfer-Encoding: chunked;q=1\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"coding in quotes":                   {post + "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"coding followed by identity":        {post + "Transfer-Encoding: chunked, identity\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"identity":                           {post + "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}" + inside, 501, nil},
		"no coding in its field":             {post + "Transfer-Encoding:\r\nContent-Length: 2\r\n\r\n{}" + inside, 501, nil},
		"space before the colon of a coding": {post + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 400, nil},
		"coding of another spelling":         {post + "Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 200, []string{last, "smuggled"}},
		"coding of a name in two lines":      {post + "Transfer-\r\nEncoding: chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 400, nil},
		"coding in a continued line":         {post + "Transfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n" + last + inside, 200, []string{"{}", "smuggled"}},
		"coding continued":                   {post + "Transfer-Encoding: chunked\r\n ,identity\r\nContent-Length: 5\r\n\r\n" + last + inside, 501, nil},
		"coding behind a bare return":        {post + "X: a\rTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 400, nil},
		"coding behind a bare line feed":     {post + "X: a\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + last + inside, 200, []string{"", "smuggled"}},
		"coding named by the connection":     {post + "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" + last + inside, 200, []string{"{}", "smuggled"}},
		"length named by the connection":     {post + "Connection: Content-Length\r\n" + whole + "\r\n" + inside, 200, []string{inside}},
		"coding and length in HTTP/1.0":      {"POST /open HTTP/1.0\r\nHost: door\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 67\r\n\r\n" + last + inside, 200, []string{last + inside}},
		// Chunks.
		"chunk of a size with noughts":                {chunked + "\r\n0000002\r\n{}\r\n000" + "\r\n\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"chunk of a size of 17 digits":                {chunked + "\r\n00000000000000002\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of a size with an underscore":          {chunked + "\r\n0_2\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of a size with a prefix":               {chunked + "\r\n0x2\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of a size below none":                  {chunked + "\r\n-2\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of a size behind a space":              {chunked + "\r\n 2\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of a size before a space":              {chunked + "\r\n2 \t\r\n{}\r\n" + last + inside, 200, []string{"{}", "smuggled"}},
		"chunk of a size before a vertical tabulator": {chunked + "\r\n2\v\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of no size":                            {chunked + "\r\n\r\n{}\r\n" + last + inside, 400, nil},
		"chunk of capital digits":                     {chunked + "\r\nA\r\n0123456789\r\n" + last + inside, 200, []string{"0123456789", "smuggled"}},
		"chunk with an extension":                     {chunked + "\r\n2;a=b;c=\"d\"\r\n{}\r\n0;e\r\n\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"chunk with an extension in quotes":           {chunked + "\r\n2;a=\"\r\n{}\r\n" + last + inside, 200, []string{"{}", "smuggled"}},
		"chunk with an extension over a line feed":    {chunked + "\r\n2;a\nxx\r\n45\r\n" + last + inside + "\r\n" + last, 400, nil},
		"chunk with an extension over a return":       {chunked + "\r\n2;a\rxx\r\n{}\r\n" + last + inside, 400, nil},
		"chunk with a return before its extension":    {chunked + "\r\n5\r\r;ABCD\r\n34\r\nE\r\n" + last + inside, 400, nil},
		"chunk whose size ends in a line feed":        {chunked + "\r\n2\n{}\r\n" + last + inside, 400, nil},
		"chunk whose bytes end in a line feed":        {chunked + "\r\n2\r\n{}\n" + last + inside, 400, nil},
		"chunk whose bytes end in a return":           {chunked + "\r\n2\r\n{}\r" + last + inside, 400, nil},
		"chunk that says less than there is":          {chunked + "\r\n2\r\n{}{}\r\n" + last + inside, 400, nil},
		"chunk that holds a request":                  {chunked + "\r\n" + fmt.Sprintf("%x\r\n%s\r\n", len(inside), inside) + last, 200, []string{inside}},
		"last chunk that ends in a line feed":         {chunked + "\r\n2\r\n{}\r\n0\n\n" + inside, 400, nil},
		"last chunk without its line":                 {chunked + "\r\n2\r\n{}\r\n0\r\n" + inside, 400, nil},
		"last chunk and the end":                      {chunked + "\r\n2\r\n{}\r\n0\r\n", 400, nil},
		"no last chunk":                               {chunked + "\r\n2\r\n{}\r\n", 400, nil},
		"no last chunk but a request":                 {chunked + "\r\n2\r\n{}\r\n" + inside, 400, nil},
		"an empty line before the last chunk":         {chunked + "\r\n2\r\n{}\r\n\r\n" + last + inside, 400, nil},
		"not in chunks":                               {chunked + "\r\n" + inside, 400, nil},
		"a trailer of a coding":                       {chunked + "\r\n2\r\n{}\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"a trailer of a length":                       {chunked + "\r\n2\r\n{}\r\n0\r\n" + whole + "\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"a trailer of a secret":                       {chunked + "\r\n2\r\n{}\r\n0\r\nX-Webhook-Secret: s3cret\r\n\r\n" + inside, 200, []string{"{}", "smuggled"}},
		"a trailer that is a request":                 {chunked + "\r\n2\r\n{}\r\n0\r\nX:" + inside, 200, []string{"{}"}},
		"a trailer without a colon":                   {chunked + "\r\n2\r\n{}\r\n0\r\n" + "GET / HTTP/1.1\r\n\r\n" + inside, 400, nil},
		// Lines of requests.
		"line with tabulators":            {"POST\t/open\tHTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"line with a line feed":           {"POST /open\nHTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"line with a return":              {"POST /open HTTP/1.1\rX: y\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"line with a space at its end":    {"POST /open HTTP/1.1 \r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"method in small letters":         {"post /open HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 405, nil},
		"method with a sign":              {"PO:ST /open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"version in small letters":        {"POST /open http/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"HTTP/0.9":                        {"GET /healthz\r\n\r\n" + inside, 400, nil},
		"HTTP/0.9 with its version":       {"POST /open HTTP/0.9\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 505, nil},
		"HTTP/1.2":                        {"POST /open HTTP/1.2\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"HTTP/1.0 that stays":             {"POST /open HTTP/1.0\r\nHost: door\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"HTTP/1.0 that goes":              {"POST /open HTTP/1.0\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}"}},
		"HTTP/2 with its preface":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" + inside, 404, nil},
		"HTTP/2 by an upgrade":            {length + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"a websocket":                     {"POST /open HTTP/1.1\r\nHost: door\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"absolute form of another host":   {"POST http://other/open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"authority":                       {"CONNECT door:80 HTTP/1.1\r\nHost: door:80\r\n\r\n" + inside, 404, []string{"smuggled"}},
		"asterisk":                        {"OPTIONS * HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 404, nil},
		"no slash":                        {"POST open HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"fragment":                        {"POST /open#x HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 404, nil},
		"NUL in the path":                 {"POST /open\x00 HTTP/1.1\r\nHost: door\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"NUL in the path, escaped":        {"POST /open%00 HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 404, nil},
		"line feeds in the path, escaped": {"POST /open%20HTTP/1.1%0d%0a HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 404, nil},
		"byte beyond ASCII in the path":   {"POST /open\xff HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 404, nil},
		"dots in the path":                {"POST /x/../open HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside, 404, nil},
		// Fields.
		"NUL at the end of a name":    {length + "X\x00: y\r\n\r\n{}" + inside, 400, nil},
		"field of brackets":           {length + "X[]: y\r\n\r\n{}" + inside, 400, nil},
		"bell in a field":             {length + "X: \a\r\n\r\n{}" + inside, 400, nil},
		"a return before a name":      {length + "\rX: y\r\n\r\n{}" + inside, 400, nil},
		"host of a path":              {"POST /open HTTP/1.1\r\nHost: door/x\r\nContent-Length: 2\r\n\r\n{}" + inside, 400, nil},
		"host of nothing":             {"POST /open HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n{}" + inside, 200, []string{"{}", "smuggled"}},
		"two expectations":            {length + "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n{}" + inside, 100, []string{"{}", "smuggled"}},
		"expectation of another case": {length + "Expect: 100-CONTINUE\r\n\r\n{}" + inside, 100, []string{"{}", "smuggled"}},
		"expectation of a list":       {length + "Expect: 100-continue, x\r\n\r\n{}" + inside, 100, []string{"{}", "smuggled"}},
		"expectation without a body":  {post + "Expect: 100-continue\r\n\r\n" + inside, 200, []string{"", "smuggled"}},
		"expectation of HTTP/1.0":     {"POST /open HTTP/1.0\r\nHost: door\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", 200, []string{"{}"}},
		"expectation that is refused": {"POST /movement/wrong HTTP/1.1\r\nHost: door\r\nExpect: 100-continue\r\n" + whole + "\r\n" + inside, 401, nil},
		// Requests that the door refuses, or answers, before their body.
		"body of what is not verified":   {"POST /movement/wrong HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside + inside, 401, nil},
		"chunks of what is not verified": {"POST /movement/wrong HTTP/1.1\r\nHost: door\r\nTransfer-Encoding: chunked\r\n\r\n3e\r\n" + inside + "\r\n" + last + inside, 401, nil},
		"body of what has no route":      {"POST /nowhere HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside + inside, 404, nil},
		"body of what is too large":      {post + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", 2000*len(inside), strings.Repeat(inside, 2000)), 413, nil},
		"chunks of what is too large":    {chunked + "\r\n" + strings.Repeat(fmt.Sprintf("%x\r\n%s\r\n", len(inside), inside), 2000) + last, 413, nil},
		"body of what is read":           {"GET /healthz HTTP/1.1\r\nHost: door\r\n" + whole + "\r\n" + inside + inside, 200, nil},
		"large body of what is read":     {fmt.Sprintf("GET /healthz HTTP/1.1\r\nHost: door\r\nContent-Length: %d\r\n\r\n%s", 8000*len(inside), strings.Repeat(inside, 8001)), 200, nil},
	}
}

func TestFraming(t *testing.T) {
	for name, test := range framings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, limited(limitsOfFraming, ""), acks)
			c := s.dial(t)
			_, _ = io.WriteString(c, test.request)
			_ = c.(*net.TCPConn).CloseWrite()
			r := bufio.NewReader(c)
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, test.status, res.StatusCode)
			if res.StatusCode >= 400 && len(test.bodies) == 0 {
				require.True(t, res.Close)
			}
			_, _ = io.Copy(io.Discard, r)
			require.Equal(t, test.bodies, s.bodies())
		})
	}
}
