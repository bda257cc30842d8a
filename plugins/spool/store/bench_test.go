//go:build unix

package store

import (
	"sync"
	"syscall"
	"testing"
)

// BenchmarkAppendDelete has 64 senders, each of whom waits for the sync of a record of
// 3.3 KB before it deletes the record and sends the next.
func BenchmarkAppendDelete(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MaxSize: 4 << 30})
	before := processTime(b)
	b.ResetTimer()
	var wait sync.WaitGroup
	for sender := range 64 {
		wait.Go(func() {
			done := make(chan error, 1)
			for i := sender; i < b.N; i += 64 {
				r := sampleRecord()
				s.Append([]*Record{r}, func(err error) { done <- err })
				if err := <-done; err != nil {
					b.Error(err)
					return
				}
				s.Delete([]int64{r.ID})
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(processTime(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
	b.ReportMetric(float64(b.N)/float64(s.Stats().Commits), "records/commit")
}

// processTime returns the CPU time of the process in nanoseconds.
func processTime(b *testing.B) int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

// BenchmarkRead reads a backlog.
func BenchmarkRead(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), MaxSize: 4 << 30})
	const backlog = 20_000
	fill(b, s, backlog)
	before := processTime(b)
	b.ResetTimer()
	after := int64(0)
	for i := 0; i < b.N; {
		records, err := s.Read(after, 1000, 4<<20)
		if err != nil {
			b.Fatal(err)
		}
		i += len(records)
		after = 0
		if len(records) > 0 {
			after = records[len(records)-1].ID
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(processTime(b)-before)/float64(b.N)/1e3, "cpu-µs/op")
}

func fill(b testing.TB, s *Store, n int) {
	for n > 0 {
		records := make([]*Record, min(n, 500))
		for i := range records {
			records[i] = sampleRecord()
		}
		n -= len(records)
		if err := appendAll(s, records...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen opens a backlog of 1 GiB.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	s := open(b, Options{Dir: dir, MaxSize: 4 << 30})
	fill(b, s, 1<<30/3300)
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s := open(b, Options{Dir: dir, MaxSize: 4 << 30})
		if s.Stats().Records != 1<<30/3300 {
			b.Fatal(s.Stats())
		}
		if err := s.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
