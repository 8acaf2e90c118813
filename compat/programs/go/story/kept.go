package story

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// quiet is how long nothing has to come for a poll to end early.
const quiet = 10 * time.Millisecond

// Bounded is a context that ends with the time that each call of a client has.
func Bounded() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Timeout)
}

// Kept makes what is kept by a name until the end of the program.
type Kept[T any] struct{ made map[string]T }

// Get makes it the first time.
func (k *Kept[T]) Get(name string, make func() (T, error)) (T, error) {
	if found, ok := k.made[name]; ok {
		return found, nil
	}
	made, err := make()
	if err == nil {
		if k.made == nil {
			k.made = map[string]T{}
		}
		k.made[name] = made
	}
	return made, err
}

// Each does the same with all of them.
func (k *Kept[T]) Each(do func(T)) {
	for _, one := range k.made {
		do(one)
	}
}

// Assignment is the set of a member's partitions.
type Assignment struct {
	lock sync.Mutex
	has  map[int32]bool
}

// Set replaces it.
func (a *Assignment) Set(partitions []int32) {
	a.lock.Lock()
	defer a.lock.Unlock()
	a.has = map[int32]bool{}
	for _, partition := range partitions {
		a.has[partition] = true
	}
}

// Change adds some partitions, or takes them away.
func (a *Assignment) Change(partitions []int32, has bool) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if a.has == nil {
		a.has = map[int32]bool{}
	}
	for _, partition := range partitions {
		if has {
			a.has[partition] = true
		} else {
			delete(a.has, partition)
		}
	}
}

// All are the partitions, in order.
func (a *Assignment) All() []int32 {
	a.lock.Lock()
	defer a.lock.Unlock()
	return slices.Sorted(maps.Keys(a.has))
}

// Inbox is between a client that pushes records and the polls of them. It holds none back: a push waits for a poll, so
// that what was not polled is not lost to a rebalance, nor read twice.
type Inbox struct {
	records chan Got
	polled  map[int32]int64
}

// NewInbox is an empty one.
func NewInbox() *Inbox {
	return &Inbox{records: make(chan Got), polled: map[int32]int64{}}
}

// Push returns once the record was polled, or with false when the context ends before.
func (i *Inbox) Push(ctx context.Context, record Got) bool {
	select {
	case i.records <- record:
		return true
	case <-ctx.Done():
		return false
	}
}

// Poll is what came within PollTime, or until nothing more comes at once.
func (i *Inbox) Poll() []Got {
	var got []Got
	end := time.After(PollTime)
	for {
		wait := PollTime
		if len(got) > 0 {
			wait = quiet
		}
		select {
		case record := <-i.records:
			i.polled[record.Partition] = record.Offset + 1
			got = append(got, record)
		case <-time.After(wait):
			return got
		case <-end:
			return got
		}
	}
}

// Polled are the offsets behind what was polled of these partitions.
func (i *Inbox) Polled(partitions []int32) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, partition := range partitions {
		if offset, ok := i.polled[partition]; ok {
			offsets[partition] = offset
		}
	}
	return offsets
}
