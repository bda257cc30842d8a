package event

import (
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/hookswitch/hookswitch/plugins/payload"
)

// Number is the text of a JSON number, as sent. The zero value "" is an absent number.
type Number string

// MarshalJSON writes the number as it is.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// UnmarshalJSON takes a JSON number.
func (n *Number) UnmarshalJSON(text []byte) error {
	var ok bool
	if *n, ok = ParseNumber(string(text)); !ok {
		return fmt.Errorf("reading number: expected a JSON number, got %s", text)
	}
	return nil
}

// ParseNumber takes the text of a JSON number. It refuses a number that is out of the range
// of float64.
func ParseNumber(s string) (Number, bool) {
	if s == "" || s[0] != '-' && (s[0] < '0' || '9' < s[0]) {
		return "", false
	}
	if len(s) <= 15 && isDigits(s) && (s[0] != '0' || len(s) == 1) {
		return Number(s), true
	}
	v, err := payload.Parse(s)
	if err != nil {
		return "", false
	}
	defer v.Release()
	if v.Kind() != payload.Number || len(v.Text()) != len(s) {
		return "", false
	}
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return "", false
	}
	return Number(s), true
}

// Bool is true, false or, as the zero value, absent.
type Bool uint8

// The values of a Bool.
const (
	False Bool = iota + 1
	True
)

// String returns true, false or null.
func (b Bool) String() string { return [...]string{"null", "false", "true"}[b] }

// MarshalJSON writes true, false or null.
func (b Bool) MarshalJSON() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalJSON takes true, false or null.
func (b *Bool) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "true":
		*b = True
	case "false":
		*b = False
	case "null":
		*b = 0
	default:
		return fmt.Errorf("reading boolean: expected true or false, got %s", text)
	}
	return nil
}

// MarshalJSON writes the text of the payload as it is.
func (r Raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

// UnmarshalJSON keeps the text of the payload as it is.
func (r *Raw) UnmarshalJSON(text []byte) error {
	*r = Raw(text)
	return nil
}

// ParseTime takes an RFC 3339 time and returns the time in UTC, with the fraction of the
// second as sent. It also takes a space instead of the T, and an offset without a colon.
// It refuses a time without a zone, and a time whose year in UTC has not four digits.
func ParseTime(s string) (Time, bool) {
	const layout = "2006-01-02T15:04:05"
	if len(s) <= len(layout) || !isDateTime(s[:len(layout)]) {
		return "", false
	}
	zone := len(layout)
	if s[zone] == '.' {
		for zone++; zone < len(s) && '0' <= s[zone] && s[zone] <= '9'; zone++ {
		}
		if zone == len(layout)+1 {
			return "", false
		}
	}
	year, month, day := int(number(s[:2])*100+number(s[2:4])), number(s[5:7]), number(s[8:10])
	hour, minute, second := number(s[11:13]), number(s[14:16]), number(s[17:19])
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return "", false
	}
	if s[zone:] == "Z" && s[10] == 'T' {
		return Time(s), true
	}
	minutes := int(hour)*60 + int(minute) // minutes of the day in UTC
	if s[zone:] != "Z" && s[zone:] != "z" {
		offset, ok := parseOffset(s[zone:])
		if !ok {
			return "", false
		}
		minutes -= offset
	}
	var buf [64]byte
	b := buf[:0]
	if 0 <= minutes && minutes < 24*60 {
		b = append(b, s[:len("2006-01-02")]...)
	} else { // in UTC it is another day
		t := time.Date(year, time.Month(month), int(day), 0, minutes, 0, 0, time.UTC)
		if t.Year() < 0 || t.Year() > 9999 {
			return "", false
		}
		b = t.AppendFormat(b, time.DateOnly)
		minutes = t.Hour()*60 + t.Minute()
	}
	b = appendTwo(append(b, 'T'), minutes/60)
	b = appendTwo(append(b, ':'), minutes%60)
	b = append(append(b, s[len("2006-01-02T15:04"):zone]...), 'Z') // seconds and fraction
	return Time(b), true
}

// ParseEpoch takes the seconds since 1970 in UTC, or the milliseconds if millis says so, and
// returns the time with the fraction of the second as sent.
func ParseEpoch(s string, millis bool) (Time, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) || len(whole) > 16 {
		return "", false
	}
	if millis {
		if len(whole) < 4 {
			whole = strings.Repeat("0", 4-len(whole)) + whole
		}
		at := len(whole) - 3
		if thousandths := whole[at:]; dotted || thousandths != "000" {
			fraction = thousandths + fraction
		}
		whole = whole[:at]
	}
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return "", false
	}
	t := time.Unix(seconds, 0).UTC()
	if t.Year() > 9999 {
		return "", false
	}
	text := t.Format("2006-01-02T15:04:05")
	if fraction != "" {
		text += "." + fraction
	}
	return Time(text + "Z"), true
}

// maxMailTime is how long the text of a time in a header may be, a comment included: the parser
// takes much memory for a text that is none.
const maxMailTime = 128

// ParseMailTime takes a time as RFC 5322 writes it in the header of an e-mail, and RFC 1123
// in headers of HTTP: Wed, 25 Nov 2026 10:00:00 +0000. It refuses a time without a zone.
func ParseMailTime(s string) (Time, bool) {
	if len(s) > maxMailTime {
		return "", false
	}
	t, err := mail.ParseDate(s)
	if err != nil {
		return "", false
	}
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return "", false
	}
	return Time(t.Format("2006-01-02T15:04:05Z")), true
}

func daysIn(year int, month uint) uint {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

func appendTwo(b []byte, n int) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }

// isDateTime reports whether s is like 2006-01-02T15:04:05, the T in either case
// or a space.
func isDateTime(s string) bool {
	for i, c := range []byte("0000-00-00T00:00:00") {
		switch {
		case c == '0' && (s[i] < '0' || '9' < s[i]),
			c == 'T' && s[i] != 'T' && s[i] != 't' && s[i] != ' ',
			(c == '-' || c == ':') && s[i] != c:
			return false
		}
	}
	return true
}

// number returns the value of the first two bytes of s, which are digits.
func number(s string) uint { return uint(s[0]-'0')*10 + uint(s[1]-'0') }

// parseOffset takes ±hh:mm or ±hhmm, and returns the minutes.
func parseOffset(s string) (int, bool) {
	if len(s) == 6 && s[3] == ':' {
		s = s[:3] + s[4:]
	}
	if len(s) != 5 || s[0] != '+' && s[0] != '-' || !isDigits(s[1:]) {
		return 0, false
	}
	hours, minutes := int(number(s[1:3])), int(number(s[3:5]))
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	if s[0] == '-' {
		return -(hours*60 + minutes), true
	}
	return hours*60 + minutes, true
}

// Numbering says how a vendor writes phone numbers.
type Numbering uint8

// The ways to write phone numbers. All vendors may write + and the country code.
const (
	International Numbering = iota
	NorthAmerican           // numbers without a country code are of the North American plan
	WithoutPlus             // the country code may stand without the +, as WhatsApp writes numbers
)

// ParsePhone takes a phone number, with or without punctuation, and returns the number in
// E.164: + and 8 to 15 digits. If numbers are North American, it also takes 10 digits of that
// plan, with or without a 1 in front. It refuses the numbers that carriers send in the place
// of a withheld one. It knows nothing else of numbering plans, so that an upgrade of this code
// never gives a person another number.
func ParsePhone(s string, numbering Numbering) (string, bool) {
	digits := digitsOf(s)
	if numbering == WithoutPlus && isE164("+"+digits) {
		digits = "+" + digits
	}
	if isWithheld(digits) {
		return "", false
	}
	if isE164(digits) {
		return digits, true
	}
	if numbering == NorthAmerican {
		ten := digits
		if len(digits) == 11 && digits[0] == '1' {
			ten = digits[1:]
		}
		if len(ten) == 10 && isDigits(ten) && ten[0] >= '2' && ten[3] >= '2' {
			return "+1" + ten, true
		}
	}
	return "", false
}

// isWithheld reports whether a number in E.164 is a word that a carrier has dialled on a
// keypad because the caller withholds the number. The words BLOCKED and UNKNOWN have too few
// digits for a number in E.164.
func isWithheld(phone string) bool {
	switch phone {
	case "+266696687", // ANONYMOUS
		"+7378742833",  // RESTRICTED
		"+86282452253": // UNAVAILABLE
		return true
	}
	return false
}

// ParseShortCode takes 3 to 6 digits.
func ParseShortCode(s string) (string, bool) {
	digits := digitsOf(s)
	return digits, len(digits) >= 3 && len(digits) <= 6 && isDigits(digits)
}

// ParseSenderName takes the name that a text shows instead of the sender's number: 1 to 11
// letters, digits, spaces and signs, with a letter among them.
func ParseSenderName(s string) (string, bool) {
	letters := false
	for _, c := range []byte(s) {
		letter := 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if letters = letters || letter; !letter && !strings.ContainsRune("0123456789 &+-._", rune(c)) {
			return "", false
		}
	}
	return s, letters && len(s) <= 11
}

// digitsOf returns s without the punctuation of phone numbers.
func digitsOf(s string) string {
	if isDigits(s) || isE164(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '(', ')', '.', '-':
			return -1
		}
		return r
	}, s)
}

func isE164(s string) bool {
	return len(s) >= 9 && len(s) <= 16 && s[0] == '+' && s[1] != '0' && isDigits(s[1:])
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || '9' < s[i] {
			return false
		}
	}
	return s != ""
}
