package main

import (
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/hookswitch/hookswitch/plugins/spool"
	"github.com/hookswitch/hookswitch/plugins/webhook"
)

// leaving hands the signals that stop the process to doors and spools, beside the engine,
// which hears them too and does the stopping when its shutdown_delay is over.
type leaving struct {
	delay time.Duration
	once  sync.Once // however many streams start
}

// parse reads how long the engine goes on after a signal.
func (l *leaving) parse(conf *service.ParsedConfig) error {
	text, err := conf.FieldString("shutdown_delay")
	if err != nil || text == "" {
		return nil //nolint:nilerr // a config without the field has no delay
	}
	if l.delay, err = time.ParseDuration(text); err != nil {
		return fmt.Errorf("reading field shutdown_delay: expected a time such as 5s, got %q", text)
	}
	return nil
}

// listen is called when a stream has started. Until then, and in commands that run
// no stream, a signal has to end the process at once.
func (l *leaving) listen(*service.RunningStreamSummary) error {
	l.once.Do(func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		hangUp := make(chan os.Signal, 1)
		if !signal.Ignored(syscall.SIGHUP) { // as it is under nohup
			signal.Notify(hangUp, syscall.SIGHUP)
		}
		go func() {
			delay := l.delay
			for {
				select {
				case <-hangUp:
					// The engine does not know this signal, and would not be stopped by it.
					if self, err := os.FindProcess(os.Getpid()); err == nil {
						_ = self.Signal(syscall.SIGTERM)
					}
				case <-stop:
					webhook.Leave(delay)
					spool.Leave()
					delay = 0 // when a signal comes again, the engine ends its delay
				}
			}
		}()
	})
	return nil
}
