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
	counts    map[[2]string]int64 // by label values, since the last flush
	scheduled bool                // a flush is going to run
}

// flushEvery is how long a count waits at most.
const flushEvery = time.Second

func newCounter(metric func(int64, ...string)) *counter {
	return &counter{metric: metric, counts: map[[2]string]int64{}}
}

// add counts n under the values of the two labels.
func (c *counter) add(n int64, labels [2]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[labels] += n
	if !c.scheduled {
		c.scheduled = true
		time.AfterFunc(flushEvery, c.flush)
	}
}

// flush adds the counts to the metric.
func (c *counter) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for labels, n := range c.counts {
		c.metric(n, labels[:]...)
	}
	clear(c.counts)
	c.scheduled = false
}
