package decode

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// metric is what a counter has added to the engine's metric.
type metric struct {
	mu     sync.Mutex
	counts map[[2]string]int64
	calls  int
}

func (m *metric) add(n int64, labels ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[[2]string(labels)] += n
	m.calls++
}

func (m *metric) called() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls
}

func TestCounterFlushesWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &metric{counts: map[[2]string]int64{}}
		c := newCounter(m.add)
		wait := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		for i := range 2 { // a second flush is scheduled after the first one
			c.add(2, [2]string{"callrail", "call.completed"})
			wait(flushEvery / 2)
			c.add(3, [2]string{"callrail", "call.completed"})
			c.add(1, [2]string{"callrail", "vendor"})
			wait(flushEvery/2 - time.Millisecond)
			require.Equal(t, 2*i, m.called(), "the engine is not asked for every message, nor for every count")
			wait(time.Millisecond)
			require.Equal(t, 2*i+2, m.called())
		}
		require.Equal(t, map[[2]string]int64{{"callrail", "call.completed"}: 10, {"callrail", "vendor"}: 2}, m.counts)
		wait(time.Minute)
		require.Equal(t, 4, m.called(), "nothing is counted twice")
	})
}

func TestCounterLosesNothing(t *testing.T) {
	m := &metric{counts: map[[2]string]int64{}}
	c := newCounter(m.add)
	var adders sync.WaitGroup
	for range 8 {
		adders.Go(func() {
			for i := range 1000 {
				c.add(1, [2]string{"mobiniti", "message.sent"})
				if i%10 == 0 {
					c.flush()
				}
			}
		})
	}
	adders.Wait()
	c.flush()
	require.Equal(t, map[[2]string]int64{{"mobiniti", "message.sent"}: 8000}, m.counts)
}
