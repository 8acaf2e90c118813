// Command franz-go tells the story with github.com/twmb/franz-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"kstream/compat/story"
)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

type client struct {
	bootstrap string
	admin     *kadm.Client
	producers story.Kept[*kgo.Client]
	member    *kgo.Client
	assigned  story.Assignment
}

func main() {
	story.Main("github.com/twmb/franz-go", func(bootstrap string) (story.Client, error) {
		base, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.MetadataMinAge(story.PollTime))
		if err != nil {
			return nil, err
		}
		return &client{bootstrap: bootstrap, admin: kadm.NewClient(base)}, nil
	})
}

func (c *client) CreateTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	_, err := c.admin.CreateTopic(ctx, r.Partitions, 1, r.Configs, r.Topic)
	return err
}

func (c *client) DeleteTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	_, err := c.admin.DeleteTopic(ctx, r.Topic)
	return err
}

func (c *client) CreatePartitions(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	answers, err := c.admin.UpdatePartitions(ctx, r.Total, r.Topic)
	return errors.Join(err, answers.Error())
}

func (c *client) PartitionCounts() (map[string]int, error) {
	ctx, cancel := story.Bounded()
	defer cancel()
	found, err := c.admin.ListTopics(ctx)
	counts := map[string]int{}
	for name, topic := range found {
		counts[name] = len(topic.Partitions)
	}
	return counts, err
}

func (c *client) TopicConfig(r story.Request) (map[string]*string, error) {
	ctx, cancel := story.Bounded()
	defer cancel()
	found, err := c.admin.DescribeTopicConfigs(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	one, err := found.On(r.Topic, nil)
	values := map[string]*string{}
	for _, entry := range one.Configs {
		values[entry.Key] = entry.Value
	}
	return values, errors.Join(err, one.Err)
}

func (c *client) SetTopicConfig(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	var changes []kadm.AlterConfig
	for name, value := range r.Values {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: value})
	}
	answers, err := c.admin.AlterTopicConfigs(ctx, changes, r.Topic)
	if err != nil {
		return err
	}
	one, err := answers.On(r.Topic, nil)
	return errors.Join(err, one.Err)
}

func (c *client) producer(name string, options ...kgo.Opt) (*kgo.Client, error) {
	options = append(options,
		kgo.SeedBrokers(c.bootstrap),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(20*time.Millisecond),
		kgo.MetadataMinAge(story.PollTime),
	)
	return c.producers.Get(name, func() (*kgo.Client, error) { return kgo.NewClient(options...) })
}

func toSend(r story.Request) []*kgo.Record {
	var records []*kgo.Record
	for _, one := range r.Records {
		record := &kgo.Record{
			Topic: r.Topic, Partition: r.Partition, Key: one.Key, Value: one.Value,
			Timestamp: time.UnixMilli(one.TimestampMs),
		}
		for _, header := range one.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
		records = append(records, record)
	}
	return records
}

func (c *client) Produce(r story.Request) ([]int64, error) {
	options := []kgo.Opt{kgo.ProducerBatchCompression(codecs[r.Codec])}
	if !r.Idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	producer, err := c.producer(fmt.Sprintf("%s idempotent=%t", r.Codec, r.Idempotent), options...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := story.Bounded() // not by RecordDeliveryTimeout, which counts from the record's timestamp
	defer cancel()
	records := toSend(r)
	err = producer.ProduceSync(ctx, records...).FirstErr()
	if errors.Is(err, kerr.UnknownTopicID) {
		// It never takes a topic of an old name for the old topic: the application has to say so.
		producer.PurgeTopicsFromProducing(r.Topic)
		records = toSend(r)
		err = producer.ProduceSync(ctx, records...).FirstErr()
	}
	var offsets []int64
	for _, record := range records {
		offsets = append(offsets, record.Offset)
	}
	return offsets, err
}

func (c *client) Transact(r story.Request) error {
	producer, err := c.producer("transactional "+r.TransactionalID, kgo.TransactionalID(r.TransactionalID))
	if err != nil {
		return err
	}
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	ctx, cancel := story.Bounded()
	defer cancel()
	err = producer.ProduceSync(ctx, toSend(r)...).FirstErr()
	end := kgo.TryAbort
	if r.Commit && err == nil {
		end = kgo.TryCommit
	}
	return errors.Join(err, producer.EndTransaction(ctx, end))
}

func (c *client) Fetch(r story.Request) ([]story.Record, error) {
	from := kgo.NewOffset().AtStart()
	if r.Offset != nil {
		from = kgo.NewOffset().At(*r.Offset)
	} else if r.TimestampMs != nil {
		from = kgo.NewOffset().AfterMilli(*r.TimestampMs)
	}
	isolation := kgo.ReadUncommitted()
	if r.Committed {
		isolation = kgo.ReadCommitted()
	}
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(c.bootstrap),
		kgo.MetadataMinAge(story.PollTime),
		kgo.FetchIsolationLevel(isolation),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: from}}),
	)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	ctx, cancel := story.Bounded()
	defer cancel()
	got := []story.Record{}
	for len(got) < r.Count {
		fetches := consumer.PollRecords(ctx, r.Count-len(got))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(got), r.Count, err)
		}
		fetches.EachRecord(func(record *kgo.Record) {
			one := story.Record{
				Offset: record.Offset, Key: record.Key, Value: record.Value, Headers: []story.Header{},
				TimestampMs: record.Timestamp.UnixMilli(),
			}
			for _, header := range record.Headers {
				one.Headers = append(one.Headers, story.Header{Name: header.Key, Value: header.Value})
			}
			got = append(got, one)
		})
	}
	return got, nil
}

func (c *client) Join(r story.Request) error {
	now := func(has bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, which map[string][]int32) {
			c.assigned.Change(which[r.Topic], has)
		}
	}
	member, err := kgo.NewClient(
		kgo.SeedBrokers(c.bootstrap),
		kgo.ConsumerGroup(r.Group),
		kgo.ConsumeTopics(r.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(story.SessionTimeout),
		kgo.HeartbeatInterval(story.Heartbeat),
		kgo.MetadataMinAge(story.PollTime),
		kgo.OnPartitionsAssigned(now(true)),
		kgo.OnPartitionsRevoked(now(false)),
		kgo.OnPartitionsLost(now(false)),
	)
	c.member = member
	return err
}

func (c *client) Poll() ([]story.Got, error) {
	ctx, cancel := context.WithTimeout(context.Background(), story.PollTime)
	defer cancel()
	fetches := c.member.PollFetches(ctx)
	fetches.EachError(func(topic string, _ int32, err error) {
		if errors.Is(err, kerr.UnknownTopicID) { // as when producing
			c.member.PurgeTopicsFromConsuming(topic)
			c.member.AddConsumeTopics(topic)
		}
	})
	var got []story.Got
	fetches.EachRecord(func(record *kgo.Record) {
		got = append(got, story.Got{Partition: record.Partition, Offset: record.Offset, Value: record.Value})
	})
	return got, nil
}

func (c *client) Assigned() ([]int32, error) { return c.assigned.All(), nil }

func (c *client) CommitPolled() error {
	ctx, cancel := story.Bounded()
	defer cancel()
	return c.member.CommitUncommittedOffsets(ctx)
}

func (c *client) Leave() error {
	c.member.Close()
	return nil
}

func (c *client) Close() {
	c.producers.Each((*kgo.Client).Close)
	c.admin.Close()
}
