package event

import (
	"fmt"
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

// ParseEpochSeconds takes the seconds since 1970 in UTC as digits, with or without a fraction,
// and returns the time with the fraction as sent. It refuses a sign, because nothing that a
// vendor reports is older than 1970, an exponent, because the digits behind the point would no
// longer be those that were sent, and a time beyond the year 9999. So milliseconds of our days
// are no seconds.
func ParseEpochSeconds(s string) (Time, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return "", false
	}
	const last = 253402300799 // 9999-12-31T23:59:59Z
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds > last {
		return "", false
	}
	var buf [64]byte
	b := time.Unix(seconds, 0).UTC().AppendFormat(buf[:0], "2006-01-02T15:04:05")
	return Time(append(append(b, s[len(whole):]...), 'Z')), true
}

// ParseEpochMillis takes the milliseconds since 1970 in UTC, as ParseEpochSeconds takes
// seconds. The time has a fraction of three digits, and more where there is a fraction of a
// millisecond.
func ParseEpochMillis(s string) (Time, bool) {
	whole, fraction, dotted := strings.Cut(s, ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return "", false
	}
	if len(whole) < len("0000") {
		whole = "0000"[len(whole):] + whole
	}
	second := len(whole) - len("000")
	return ParseEpochSeconds(whole[:second] + "." + whole[second:] + fraction)
}

// maxMailTime is how long the text of a time of mail may be, its comment included, so that a
// long text that is no time takes no memory.
const maxMailTime = 128

// ParseMailTime takes a time as RFC 5322 writes it in the header of an e-mail, and RFC 1123
// in headers of HTTP: Wed, 25 Nov 2026 10:00:00 +0000. The day of the week may be missing, and
// a comment may follow, as in -0500 (EST).
//
// The zone has to be an offset or a name that RFC 5322 gives an offset. The offset -0000 is
// UTC, too: it only says that nobody knows the zone of the sender. All other names are
// refused, the letters of the military zones among them, which RFC 5322 found to be used
// either way. So are a year of two digits, a time without seconds, a leap second and dates
// that no calendar has, as ParseTime refuses them.
//
// The library net/mail does not serve: it gives a name of a zone that it does not know the
// offset 0, a name that it knows the offset of the machine's own zone, and it drops fractions.
func ParseMailTime(s string) (Time, bool) {
	if len(s) > maxMailTime {
		return "", false
	}
	date, comment, commented := strings.Cut(s, "(")
	if commented && !strings.HasSuffix(strings.TrimSpace(comment), ")") {
		return "", false
	}
	fields := strings.Fields(date)
	if len(fields) == 6 && isWeekday(fields[0]) {
		fields = fields[1:]
	}
	if len(fields) != 5 {
		return "", false
	}
	day, month, year, clock, zone := fields[0], monthOf(fields[1]), fields[2], fields[3], fields[4]
	if len(day) == 1 {
		day = "0" + day
	}
	if offset, named := mailZones[strings.ToUpper(zone)]; named {
		zone = offset
	}
	if month == "" || zone == "z" || zone == "Z" {
		return "", false
	}
	return ParseTime(year + "-" + month + "-" + day + "T" + clock + zone)
}

// mailZones has the names of zones in RFC 5322 that have an offset there, and UTC.
var mailZones = map[string]string{
	"GMT": "+0000", "UT": "+0000", "UTC": "+0000",
	"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700",
}

// isWeekday reports whether s is like Wed, in any letter case, with its comma.
func isWeekday(s string) bool {
	return len(s) == len("Mon,") && s[3] == ',' && strings.Contains("mon,tue,wed,thu,fri,sat,sun,", strings.ToLower(s))
}

// monthOf returns the number of a month that is like Nov, in any letter case, or "".
func monthOf(s string) string {
	at := strings.Index("jan feb mar apr may jun jul aug sep oct nov dec ", strings.ToLower(s)+" ")
	if len(s) != len("jan") || at < 0 {
		return ""
	}
	return string(appendTwo(nil, at/len("jan ")+1))
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
	return isDigits(s[:4]) && s[4] == '-' && isDigits(s[5:7]) && s[7] == '-' && isDigits(s[8:10]) &&
		(s[10] == 'T' || s[10] == 't' || s[10] == ' ') &&
		isDigits(s[11:13]) && s[13] == ':' && isDigits(s[14:16]) && s[16] == ':' && isDigits(s[17:])
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
	phone := s
	if !isE164(s) {
		phone = e164Of(digitsOf(s), numbering)
	}
	if phone == "" || isWithheld(phone) {
		return "", false
	}
	return phone, true
}

// e164Of returns a phone number without punctuation in E.164, or "".
func e164Of(digits string, numbering Numbering) string {
	switch {
	case isE164(digits):
		return digits
	case numbering == WithoutPlus && isE164("+"+digits):
		return "+" + digits
	case numbering == NorthAmerican:
		ten := digits
		if len(digits) == 11 && digits[0] == '1' {
			ten = digits[1:]
		}
		if len(ten) == 10 && isDigits(ten) && ten[0] >= '2' && ten[3] >= '2' {
			return "+1" + ten
		}
	}
	return ""
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
	if len(s) > 11 {
		return "", false
	}
	letters := false
	for _, c := range []byte(s) {
		letter := 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if letters = letters || letter; !letter && strings.IndexByte("0123456789 &+-._", c) < 0 {
			return "", false
		}
	}
	return s, letters
}

// digitsOf returns s without the punctuation of phone numbers.
func digitsOf(s string) string {
	if isDigits(s) {
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
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}
