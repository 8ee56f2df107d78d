// Says what KEDA's cron scaler would decide, for windows and moments drawn from a seed: one JSON
// object a line. KEDA 2.21 parses both expressions with the same options of the same library and takes
// a moment as inside unless the next start comes before the next end.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

type line struct {
	Zone  string `json:"zone"`
	Start string `json:"start"`
	End   string `json:"end"`
	// Unix seconds.
	At     int64 `json:"at"`
	Inside bool  `json:"inside"`
	// The clocks change between 25 hours before the moment and 25 hours after the fires it depends on.
	NearChange bool `json:"near_change"`
	// Whether the library takes the start expression at all; the other fields are then empty.
	Refused bool `json:"refused,omitempty"`
}

var zones = []string{
	"UTC", "Asia/Kolkata", "Asia/Tokyo", "America/Phoenix", "Africa/Lagos", "America/New_York",
	"Europe/London", "Australia/Sydney", "Australia/Lord_Howe", "America/Santiago",
}

var monthNames = []string{"JAN", "feb", "Mar", "APR", "may", "Jun", "JUL", "aug", "Sep", "OCT", "nov", "Dec"}
var dayNames = []string{"SUN", "mon", "Tue", "WED", "thu", "Fri", "SAT"}

func pick(r *rand.Rand, low, high int) int { return low + r.Intn(high-low+1) }

func value(r *rand.Rand, low, high int, names []string) (string, int) {
	v := pick(r, low, high)
	if names != nil && r.Intn(3) == 0 {
		return names[v-low], v
	}
	return fmt.Sprint(v), v
}

// field draws one field; `star` is how often of ten it is left open.
func field(r *rand.Rand, low, high, star int, names []string) string {
	if r.Intn(10) < star {
		return []string{"*", "*", "?", "*/1"}[r.Intn(4)]
	}
	items := []string{}
	for n := 1 + r.Intn(4)/2; n > 0; n-- {
		text, v := value(r, low, high, names)
		switch r.Intn(6) {
		case 0:
			to, _ := value(r, v, v, nil)
			if v < high {
				to, _ = value(r, v, high, nil)
			}
			text += "-" + to
			if r.Intn(2) == 0 {
				text += fmt.Sprintf("/%d", pick(r, 1, 7))
			}
		case 1:
			text = fmt.Sprintf("*/%d", pick(r, 2, 1+(high-low)/2))
		case 2:
			text += fmt.Sprintf("/%d", pick(r, 1, 9))
		}
		items = append(items, text)
	}
	return strings.Join(items, ",")
}

func expression(r *rand.Rand) string {
	return strings.Join([]string{
		field(r, 0, 59, 1, nil), field(r, 0, 23, 1, nil), field(r, 1, 31, 7, nil),
		field(r, 1, 12, 8, monthNames), field(r, 0, 6, 6, dayNames),
	}, " ")
}

// odd draws a text that is maybe no expression.
func odd(r *rand.Rand) string {
	const letters = "0123456789*?/-,+ MONJAN7 \tx"
	fields := strings.Fields(expression(r))
	i := r.Intn(len(fields))
	switch r.Intn(4) {
	case 0:
		return strings.Join(fields[:i], " ")
	case 1:
		fields[i] = ""
		for n := r.Intn(5); n >= 0; n-- {
			fields[i] += string(letters[r.Intn(len(letters))])
		}
	case 2:
		fields[i] = fmt.Sprint(r.Intn(100))
	default:
		at := r.Intn(len(fields[i]))
		fields[i] = fields[i][:at] + string(letters[r.Intn(len(letters))]) + fields[i][at:]
	}
	return strings.Join(fields, " ")
}

func changesBetween(zone *time.Location, from, to time.Time) bool {
	_, before := from.In(zone).Zone()
	for t := from; t.Before(to); t = t.Add(6 * time.Hour) {
		if _, offset := t.In(zone).Zone(); offset != before {
			return true
		}
	}
	_, after := to.In(zone).Zone()
	return after != before
}

func main() {
	seed := flag.Int64("seed", 1, "of the random numbers")
	windows := flag.Int("windows", 1500, "how many pairs of expressions")
	moments := flag.Int("moments", 20, "how many moments for each")
	flag.Parse()
	r := rand.New(rand.NewSource(*seed))
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	seconds := int64(4 * 365 * 24 * time.Hour / time.Second)

	for w := 0; w < *windows; w++ {
		text := odd(r)
		_, err := parser.Parse(text)
		encoder.Encode(line{Zone: "UTC", Start: text, Refused: err != nil})

		name := zones[r.Intn(len(zones))]
		zone, err := time.LoadLocation(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		startText, endText := expression(r), expression(r)
		if r.Intn(4) == 0 {
			// Ties: the end shares hour, or all, with a start.
			endText = strings.Fields(startText)[0] + " " + strings.Join(strings.Fields(endText)[1:], " ")
		}
		start, startErr := parser.Parse(startText)
		end, endErr := parser.Parse(endText)
		if startErr != nil || endErr != nil {
			continue
		}
		for m := 0; m < *moments; m++ {
			now := first.Add(time.Duration(r.Int63n(seconds)) * time.Second)
			if m%3 == 0 && !start.Next(now.In(zone)).IsZero() {
				now = start.Next(now.In(zone)).Add(time.Duration(r.Intn(3)-1) * time.Second)
			} else if m%3 == 1 && !end.Next(now.In(zone)).IsZero() {
				now = end.Next(now.In(zone)).Add(time.Duration(r.Intn(3)-1) * time.Second)
			}
			now = now.In(zone)
			nextStart, nextEnd := start.Next(now), end.Next(now)
			if nextStart.IsZero() || nextEnd.IsZero() {
				continue // Such expressions are refused as a pair that never fires.
			}
			last := nextStart
			if nextEnd.After(last) {
				last = nextEnd
			}
			const day = 25 * time.Hour
			encoder.Encode(line{
				Zone: name, Start: startText, End: endText, At: now.Unix(),
				Inside:     !nextStart.Before(nextEnd),
				NearChange: changesBetween(zone, now.Add(-day), last.Add(day)),
			})
		}
	}
}
