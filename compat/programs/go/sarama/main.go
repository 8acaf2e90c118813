// Command sarama tells the story with github.com/IBM/sarama.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"kstream/compat/story"
)

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

type client struct {
	addresses []string
	admin     sarama.ClusterAdmin
	producers story.Kept[sarama.SyncProducer]
	member    *member
}

func main() {
	story.Main("github.com/IBM/sarama", func(bootstrap string) (story.Client, error) {
		addresses := []string{bootstrap}
		admin, err := sarama.NewClusterAdmin(addresses, settings())
		return &client{addresses: addresses, admin: admin}, err
	})
}

func settings() *sarama.Config {
	made := sarama.NewConfig()
	made.Version = sarama.MaxVersion
	made.Metadata.RefreshFrequency = time.Second
	return made
}

func (c *client) CreateTopic(r story.Request) error {
	detail := &sarama.TopicDetail{NumPartitions: r.Partitions, ReplicationFactor: 1, ConfigEntries: r.Configs}
	return c.admin.CreateTopic(r.Topic, detail, false)
}

func (c *client) DeleteTopic(r story.Request) error { return c.admin.DeleteTopic(r.Topic) }

func (c *client) CreatePartitions(r story.Request) error {
	return c.admin.CreatePartitions(r.Topic, int32(r.Total), nil, false)
}

func (c *client) PartitionCounts() (map[string]int, error) {
	found, err := c.admin.ListTopics()
	counts := map[string]int{}
	for name, topic := range found {
		counts[name] = int(topic.NumPartitions)
	}
	return counts, err
}

func (c *client) TopicConfig(r story.Request) (map[string]*string, error) {
	found, err := c.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
	values := map[string]*string{}
	for _, entry := range found {
		values[entry.Name] = &entry.Value
	}
	return values, err
}

func (c *client) SetTopicConfig(r story.Request) error {
	changes := map[string]sarama.IncrementalAlterConfigsEntry{}
	for name, value := range r.Values {
		changes[name] = sarama.IncrementalAlterConfigsEntry{
			Operation: sarama.IncrementalAlterConfigsOperationSet, Value: value,
		}
	}
	return c.admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, changes, false)
}

func (c *client) producer(name string, change func(*sarama.Config)) (sarama.SyncProducer, error) {
	return c.producers.Get(name, func() (sarama.SyncProducer, error) {
		made := settings()
		made.Producer.RequiredAcks = sarama.WaitForAll
		made.Producer.Partitioner = sarama.NewManualPartitioner
		made.Producer.Return.Successes = true
		change(made)
		if made.Producer.Idempotent {
			made.Net.MaxOpenRequests = 1 // it refuses to be idempotent with more
		}
		return sarama.NewSyncProducer(c.addresses, made)
	})
}

// encoded tells null from empty, which the nil slice of an Encoder would not.
func encoded(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func send(producer sarama.SyncProducer, r story.Request) ([]int64, error) {
	var messages []*sarama.ProducerMessage
	for _, one := range r.Records {
		message := &sarama.ProducerMessage{
			Topic: r.Topic, Partition: r.Partition, Key: encoded(one.Key), Value: encoded(one.Value),
			Timestamp: time.UnixMilli(one.TimestampMs),
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers,
				sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
		messages = append(messages, message)
	}
	err := producer.SendMessages(messages)
	var offsets []int64
	for _, message := range messages {
		offsets = append(offsets, message.Offset)
	}
	return offsets, err
}

func (c *client) Produce(r story.Request) ([]int64, error) {
	producer, err := c.producer(fmt.Sprintf("%s idempotent=%t", r.Codec, r.Idempotent), func(s *sarama.Config) {
		s.Producer.Compression = codecs[r.Codec]
		s.Producer.Idempotent = r.Idempotent
	})
	if err != nil {
		return nil, err
	}
	return send(producer, r)
}

func (c *client) Transact(r story.Request) error {
	producer, err := c.producer("transactional "+r.TransactionalID, func(s *sarama.Config) {
		s.Producer.Idempotent = true
		s.Producer.Transaction.ID = r.TransactionalID
	})
	if err != nil {
		return err
	}
	if err := producer.BeginTxn(); err != nil {
		return err
	}
	_, err = send(producer, r)
	if r.Commit && err == nil {
		return producer.CommitTxn()
	}
	return errors.Join(err, producer.AbortTxn())
}

func (c *client) Fetch(r story.Request) ([]story.Record, error) {
	changed := settings()
	if r.Committed {
		changed.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	base, err := sarama.NewClient(c.addresses, changed)
	if err != nil {
		return nil, err
	}
	defer func() { _ = base.Close() }()
	from := sarama.OffsetOldest
	if r.Offset != nil {
		from = *r.Offset
	} else if r.TimestampMs != nil {
		if from, err = base.GetOffset(r.Topic, r.Partition, *r.TimestampMs); err != nil {
			return nil, err
		}
	}
	consumer, err := sarama.NewConsumerFromClient(base)
	if err != nil {
		return nil, err
	}
	reader, err := consumer.ConsumePartition(r.Topic, r.Partition, from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reader.Close() }()
	got := []story.Record{}
	end := time.After(story.Timeout)
	for len(got) < r.Count {
		select {
		case message := <-reader.Messages():
			got = append(got, answered(message))
		case <-end:
			return nil, fmt.Errorf("%d of %d records in time", len(got), r.Count)
		}
	}
	return got, nil
}

func answered(message *sarama.ConsumerMessage) story.Record {
	one := story.Record{
		Offset: message.Offset, Key: message.Key, Value: message.Value, Headers: []story.Header{},
		TimestampMs: message.Timestamp.UnixMilli(),
	}
	for _, header := range message.Headers {
		one.Headers = append(one.Headers, story.Header{Name: string(header.Key), Value: header.Value})
	}
	return one
}

func (c *client) Join(r story.Request) error {
	changed := settings()
	changed.Consumer.Offsets.Initial = sarama.OffsetOldest
	changed.Consumer.Offsets.AutoCommit.Enable = false
	changed.Consumer.Return.Errors = true
	changed.Consumer.Group.Session.Timeout = story.SessionTimeout
	changed.Consumer.Group.Heartbeat.Interval = story.Heartbeat
	group, err := sarama.NewConsumerGroup(c.addresses, r.Group, changed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.member = &member{topic: r.Topic, group: group, cancel: cancel, inbox: story.NewInbox()}
	go c.member.consume(ctx)
	return nil
}

func (c *client) Poll() ([]story.Got, error) { return c.member.inbox.Poll(), nil }

func (c *client) Assigned() ([]int32, error) { return c.member.assigned.All(), nil }

func (c *client) CommitPolled() error { return c.member.commit() }

func (c *client) Leave() error {
	c.member.cancel()
	_ = c.member.group.Close() // it raises what went wrong at any time before, such as a broker that was away
	return nil
}

func (c *client) Close() {
	c.producers.Each(func(producer sarama.SyncProducer) { _ = producer.Close() })
	_ = c.admin.Close()
}

// member is the handler of a group's sessions; it commits for the one that is open.
type member struct {
	topic    string
	group    sarama.ConsumerGroup
	cancel   context.CancelFunc
	inbox    *story.Inbox
	assigned story.Assignment
	lock     sync.Mutex
	session  sarama.ConsumerGroupSession
}

// consume joins again after each rebalance, and after errors such as a broker that is gone.
func (m *member) consume(ctx context.Context) {
	for ctx.Err() == nil {
		if err := m.group.Consume(ctx, []string{m.topic}, m); err != nil {
			time.Sleep(story.PollTime)
		}
	}
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.session = session
	m.assigned.Set(session.Claims()[m.topic])
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-session.Context().Done():
			return nil
		case record, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			got := story.Got{Partition: record.Partition, Offset: record.Offset, Value: record.Value}
			if !m.inbox.Push(session.Context(), got) {
				return nil
			}
		}
	}
}

// commit waits for the answer; what goes wrong comes by the channel of errors.
func (m *member) commit() error {
	m.lock.Lock()
	defer m.lock.Unlock()
	for partition, offset := range m.inbox.Polled(m.assigned.All()) {
		m.session.MarkOffset(m.topic, partition, offset, "")
	}
	for len(m.group.Errors()) > 0 {
		<-m.group.Errors()
	}
	m.session.Commit()
	select {
	case err := <-m.group.Errors():
		return err
	default:
		return nil
	}
}
