// Command kafka-go tells the story with github.com/segmentio/kafka-go.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"kstream/compat/story"
)

var codecs = map[string]kafka.Compression{
	"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

type client struct {
	bootstrap string
	admin     *kafka.Client
	producers story.Kept[*kafka.Writer]
	member    *member
}

func main() {
	story.Main("github.com/segmentio/kafka-go", func(bootstrap string) (story.Client, error) {
		admin := &kafka.Client{Addr: kafka.TCP(bootstrap), Timeout: story.Timeout, Transport: transport()}
		return &client{bootstrap: bootstrap, admin: admin}, nil
	})
}

// transport learns of new topics soon; by default it asks each six seconds.
func transport() *kafka.Transport { return &kafka.Transport{MetadataTTL: story.PollTime} }

func (c *client) CreateTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	var configs []kafka.ConfigEntry
	for name, value := range r.Configs {
		configs = append(configs, kafka.ConfigEntry{ConfigName: name, ConfigValue: *value})
	}
	answer, err := c.admin.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
		Topic: r.Topic, NumPartitions: int(r.Partitions), ReplicationFactor: 1, ConfigEntries: configs,
	}}})
	if err != nil {
		return err
	}
	return answer.Errors[r.Topic]
}

func (c *client) DeleteTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	answer, err := c.admin.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{r.Topic}})
	if err != nil {
		return err
	}
	return answer.Errors[r.Topic]
}

func (c *client) CreatePartitions(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	answer, err := c.admin.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{
		Topics: []kafka.TopicPartitionsConfig{{Name: r.Topic, Count: int32(r.Total)}},
	})
	if err != nil {
		return err
	}
	return answer.Errors[r.Topic]
}

func (c *client) PartitionCounts() (map[string]int, error) {
	ctx, cancel := story.Bounded()
	defer cancel()
	found, err := c.admin.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for _, topic := range found.Topics {
		counts[topic.Name] = len(topic.Partitions)
	}
	return counts, nil
}

func (c *client) TopicConfig(r story.Request) (map[string]*string, error) {
	ctx, cancel := story.Bounded()
	defer cancel()
	found, err := c.admin.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic},
		},
	})
	if err != nil {
		return nil, err
	}
	values := map[string]*string{}
	for _, entry := range found.Resources[0].ConfigEntries {
		values[entry.ConfigName] = &entry.ConfigValue
	}
	return values, found.Resources[0].Error
}

func (c *client) SetTopicConfig(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	var changes []kafka.IncrementalAlterConfigsRequestConfig
	for name, value := range r.Values {
		changes = append(changes, kafka.IncrementalAlterConfigsRequestConfig{
			Name: name, Value: *value, ConfigOperation: kafka.ConfigOperationSet,
		})
	}
	answer, err := c.admin.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic, Configs: changes},
		},
	})
	if err != nil {
		return err
	}
	return answer.Resources[0].Error
}

func (c *client) Produce(r story.Request) ([]int64, error) {
	// A balancer chooses a message's partition, so there is a writer for each; it hands over what it sent in batches.
	name := fmt.Sprintf("%s %d", r.Codec, r.Partition)
	writer, err := c.producers.Get(name, func() (*kafka.Writer, error) {
		return &kafka.Writer{
			Addr:         kafka.TCP(c.bootstrap),
			Transport:    transport(),
			Balancer:     kafka.BalancerFunc(func(kafka.Message, ...int) int { return int(r.Partition) }),
			RequiredAcks: kafka.RequireAll,
			Compression:  codecs[r.Codec],
			BatchSize:    500,
			BatchTimeout: 20 * time.Millisecond,
		}, nil
	})
	if err != nil {
		return nil, err
	}
	var messages []kafka.Message
	for _, one := range r.Records {
		message := kafka.Message{
			Topic: r.Topic, Key: one.Key, Value: one.Value, Time: time.UnixMilli(one.TimestampMs),
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		messages = append(messages, message)
	}
	var offsets []int64
	writer.Completion = func(sent []kafka.Message, _ error) {
		for _, message := range sent {
			offsets = append(offsets, message.Offset)
		}
	}
	ctx, cancel := story.Bounded()
	defer cancel()
	err = writer.WriteMessages(ctx, messages...)
	for errors.Is(err, kafka.UnknownTopicOrPartition) && ctx.Err() == nil {
		// It does not ask again about a topic that is new to it: the application has to.
		time.Sleep(story.PollTime)
		err = writer.WriteMessages(ctx, messages...)
	}
	return offsets, err
}

func (c *client) Transact(story.Request) error { return errors.ErrUnsupported }

func (c *client) Fetch(r story.Request) ([]story.Record, error) {
	isolation := kafka.ReadUncommitted
	if r.Committed {
		isolation = kafka.ReadCommitted
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: []string{c.bootstrap}, Topic: r.Topic, Partition: int(r.Partition),
		MaxWait: story.PollTime, IsolationLevel: isolation,
	})
	defer func() { _ = reader.Close() }()
	ctx, cancel := story.Bounded()
	defer cancel()
	var err error
	if r.Offset != nil {
		err = reader.SetOffset(*r.Offset)
	} else if r.TimestampMs != nil {
		err = reader.SetOffsetAt(ctx, time.UnixMilli(*r.TimestampMs))
	}
	got := []story.Record{}
	for err == nil && len(got) < r.Count {
		var message kafka.Message
		if message, err = reader.ReadMessage(ctx); err == nil {
			got = append(got, answered(message))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%d of %d records: %w", len(got), r.Count, err)
	}
	return got, nil
}

func answered(message kafka.Message) story.Record {
	one := story.Record{
		Offset: message.Offset, Key: message.Key, Value: message.Value, Headers: []story.Header{},
		TimestampMs: message.Time.UnixMilli(),
	}
	for _, header := range message.Headers {
		one.Headers = append(one.Headers, story.Header{Name: header.Key, Value: header.Value})
	}
	return one
}

func (c *client) Join(r story.Request) error {
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     r.Group,
		Brokers:                []string{c.bootstrap},
		Topics:                 []string{r.Topic},
		HeartbeatInterval:      story.Heartbeat,
		SessionTimeout:         story.SessionTimeout,
		RebalanceTimeout:       story.SessionTimeout,
		JoinGroupBackoff:       story.PollTime,
		PartitionWatchInterval: story.Heartbeat,
		WatchPartitionChanges:  true,
		StartOffset:            kafka.FirstOffset,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.member = &member{
		bootstrap: c.bootstrap, topic: r.Topic, group: group, cancel: cancel, inbox: story.NewInbox(),
	}
	go c.member.consume(ctx)
	return nil
}

func (c *client) Poll() ([]story.Got, error) { return c.member.inbox.Poll(), nil }

func (c *client) Assigned() ([]int32, error) { return c.member.assigned.All(), nil }

func (c *client) CommitPolled() error { return c.member.commit() }

func (c *client) Leave() error {
	c.member.cancel()
	return c.member.group.Close()
}

func (c *client) Close() {
	c.producers.Each(func(writer *kafka.Writer) { _ = writer.Close() })
}
