package main

import (
	"context"
	"sync"

	"github.com/segmentio/kafka-go"

	"kstream/compat/story"
)

// member reads each partition of a generation with a reader of its own. A Reader with a group's name would do all of
// that by itself, but does not tell which partitions it has.
type member struct {
	bootstrap  string
	topic      string
	group      *kafka.ConsumerGroup
	cancel     context.CancelFunc
	inbox      *story.Inbox
	assigned   story.Assignment
	lock       sync.Mutex
	generation *kafka.Generation
}

func (m *member) consume(ctx context.Context) {
	for ctx.Err() == nil {
		generation, err := m.group.Next(ctx)
		if err != nil {
			continue // Next has waited already
		}
		var partitions []int32
		for _, one := range generation.Assignments[m.topic] {
			partitions = append(partitions, int32(one.ID))
			generation.Start(func(ctx context.Context) { m.read(ctx, one) })
		}
		m.lock.Lock()
		m.generation = generation
		m.assigned.Set(partitions)
		m.lock.Unlock()
	}
}

func (m *member) read(ctx context.Context, from kafka.PartitionAssignment) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{m.bootstrap}, Topic: m.topic, Partition: from.ID, MaxWait: story.PollTime,
	})
	defer func() { _ = reader.Close() }()
	_ = reader.SetOffset(from.Offset)
	for {
		message, err := reader.ReadMessage(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			continue // ReadMessage has waited already
		}
		got := story.Got{Partition: int32(message.Partition), Offset: message.Offset, Value: message.Value}
		if !m.inbox.Push(ctx, got) {
			return
		}
	}
}

func (m *member) commit() error {
	m.lock.Lock()
	defer m.lock.Unlock()
	offsets := map[int]int64{}
	for partition, offset := range m.inbox.Polled(m.assigned.All()) {
		offsets[int(partition)] = offset
	}
	return m.generation.CommitOffsets(map[string]map[int]int64{m.topic: offsets})
}
