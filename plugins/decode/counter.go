package decode

import (
	"sync"
	"time"
)

// counter gathers counts and adds them to a metric of the engine once a second. The
// engine looks a metric up by its labels each time; for every message that would take a
// twentieth of the time of a small message.
type counter struct {
	metric func(n int64, labels ...string) // adds n to the engine's metric

	mu        sync.Mutex
	counts    tally[[2]string] // by label values, since the last flush
	scheduled bool             // a flush is going to run
}

// flushEvery is how long a count waits at most.
const flushEvery = time.Second

func newCounter(metric func(int64, ...string)) *counter {
	return &counter{metric: metric}
}

// add counts n under the values of the two labels.
func (c *counter) add(n int64, labels [2]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.add(labels, n)
	if !c.scheduled {
		c.scheduled = true
		time.AfterFunc(flushEvery, c.flush)
	}
}

// flush adds the counts to the metric.
func (c *counter) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, count := range c.counts {
		c.metric(count.n, count.label[:]...)
	}
	c.counts, c.scheduled = c.counts[:0], false
}

// tally has counts by the values of a metric's label, or of its labels. There are few values,
// so that a slice is faster than a map.
type tally[T comparable] []struct {
	label T
	n     int64
}

func (t *tally[T]) add(label T, n int64) {
	for i := range *t {
		if (*t)[i].label == label {
			(*t)[i].n += n
			return
		}
	}
	*t = append(*t, struct {
		label T
		n     int64
	}{label, n})
}
