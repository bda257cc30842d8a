package decode

import (
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// counter counts for a counter of the engine and tells it within a second: to find
// that by its labels, for each message, takes a twentieth of the time of a small
// one.
type counter struct {
	told *service.MetricCounter

	mu     sync.Mutex
	counts map[[2]string]int64 // by the values of the labels, since it was told
	timed  bool                // tell is going to be called
}

const tellEvery = time.Second

func newCounter(told *service.MetricCounter) *counter {
	return &counter{told: told, counts: map[[2]string]int64{}}
}

func (c *counter) add(n int64, labels [2]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[labels] += n
	if !c.timed {
		c.timed = true
		time.AfterFunc(tellEvery, c.tell)
	}
}

func (c *counter) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for labels, n := range c.counts {
		c.told.Incr(n, labels[:]...)
	}
	clear(c.counts)
	c.timed = false
}
