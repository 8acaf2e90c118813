// Command confluent-kafka-go tells the story with github.com/confluentinc/confluent-kafka-go, which carries librdkafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"kstream/compat/story"
)

var timeoutMs = int(story.Timeout.Milliseconds())

type client struct {
	bootstrap string
	admin     *kafka.AdminClient
	producers story.Kept[*kafka.Producer]
	member    *kafka.Consumer
}

func main() {
	story.Main("github.com/confluentinc/confluent-kafka-go/v2", func(bootstrap string) (story.Client, error) {
		admin, err := kafka.NewAdminClient(settings(bootstrap, nil))
		return &client{bootstrap: bootstrap, admin: admin}, err
	})
}

// settings are those of all clients and some more; what goes wrong is raised, so nothing is logged.
func settings(bootstrap string, more kafka.ConfigMap) *kafka.ConfigMap {
	all := kafka.ConfigMap{"bootstrap.servers": bootstrap, "log_level": 0, "reconnect.backoff.max.ms": 200}
	for name, value := range more {
		all[name] = value
	}
	return &all
}

// firstError is that of the one topic or resource that was asked for.
func firstError[T any](answers []T, err error, of func(T) kafka.Error) error {
	if err == nil && of(answers[0]).Code() != kafka.ErrNoError {
		return of(answers[0])
	}
	return err
}

func topicError(answer kafka.TopicResult) kafka.Error             { return answer.Error }
func resourceError(answer kafka.ConfigResourceResult) kafka.Error { return answer.Error }

func (c *client) CreateTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	configs := map[string]string{}
	for name, value := range r.Configs {
		configs[name] = *value
	}
	answers, err := c.admin.CreateTopics(ctx, []kafka.TopicSpecification{
		{Topic: r.Topic, NumPartitions: int(r.Partitions), ReplicationFactor: 1, Config: configs},
	})
	return firstError(answers, err, topicError)
}

func (c *client) DeleteTopic(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	answers, err := c.admin.DeleteTopics(ctx, []string{r.Topic})
	return firstError(answers, err, topicError)
}

func (c *client) CreatePartitions(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	answers, err := c.admin.CreatePartitions(ctx, []kafka.PartitionsSpecification{
		{Topic: r.Topic, IncreaseTo: r.Total},
	})
	return firstError(answers, err, topicError)
}

func (c *client) PartitionCounts() (map[string]int, error) {
	found, err := c.admin.GetMetadata(nil, true, timeoutMs)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	for name, topic := range found.Topics {
		counts[name] = len(topic.Partitions)
	}
	return counts, nil
}

func (c *client) TopicConfig(r story.Request) (map[string]*string, error) {
	ctx, cancel := story.Bounded()
	defer cancel()
	answers, err := c.admin.DescribeConfigs(ctx, []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: r.Topic}})
	if err := firstError(answers, err, resourceError); err != nil {
		return nil, err
	}
	values := map[string]*string{}
	for name, entry := range answers[0].Config {
		values[name] = &entry.Value
	}
	return values, nil
}

func (c *client) SetTopicConfig(r story.Request) error {
	ctx, cancel := story.Bounded()
	defer cancel()
	var changes []kafka.ConfigEntry
	for name, value := range r.Values {
		changes = append(changes, kafka.ConfigEntry{
			Name: name, Value: *value, IncrementalOperation: kafka.AlterConfigOpTypeSet,
		})
	}
	answers, err := c.admin.IncrementalAlterConfigs(ctx, []kafka.ConfigResource{
		{Type: kafka.ResourceTopic, Name: r.Topic, Config: changes},
	})
	return firstError(answers, err, resourceError)
}

func (c *client) producer(name string, more kafka.ConfigMap) (*kafka.Producer, error) {
	more["acks"] = "all"
	more["linger.ms"] = 20
	return c.producers.Get(name, func() (*kafka.Producer, error) {
		made, err := kafka.NewProducer(settings(c.bootstrap, more))
		if err != nil {
			return nil, err
		}
		go func() { // of what librdkafka gets over by itself; a flush counts what nobody takes
			for range made.Events() {
			}
		}()
		if _, isTransactional := more["transactional.id"]; isTransactional {
			ctx, cancel := story.Bounded()
			defer cancel()
			err = made.InitTransactions(ctx)
		}
		return made, err
	})
}

func send(producer *kafka.Producer, r story.Request) ([]int64, error) {
	delivered := make(chan kafka.Event, len(r.Records))
	for _, one := range r.Records {
		message := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &r.Topic, Partition: r.Partition},
			Key:            one.Key, Value: one.Value, Timestamp: time.UnixMilli(one.TimestampMs),
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
		if err := producer.Produce(message, delivered); err != nil {
			return nil, err
		}
	}
	if unsent := producer.Flush(timeoutMs); unsent > 0 {
		return nil, fmt.Errorf("%d records were not acknowledged in time", unsent)
	}
	var offsets []int64
	for range r.Records {
		told := (<-delivered).(*kafka.Message)
		if told.TopicPartition.Error != nil {
			return nil, told.TopicPartition.Error
		}
		offsets = append(offsets, int64(told.TopicPartition.Offset))
	}
	return offsets, nil
}

func (c *client) Produce(r story.Request) ([]int64, error) {
	name := fmt.Sprintf("%s idempotent=%t", r.Codec, r.Idempotent)
	producer, err := c.producer(name, kafka.ConfigMap{
		"compression.type": r.Codec, "enable.idempotence": r.Idempotent,
	})
	if err != nil {
		return nil, err
	}
	return send(producer, r)
}

func (c *client) Transact(r story.Request) error {
	name := "transactional " + r.TransactionalID
	producer, err := c.producer(name, kafka.ConfigMap{"transactional.id": r.TransactionalID})
	if err != nil {
		return err
	}
	if err := producer.BeginTransaction(); err != nil {
		return err
	}
	ctx, cancel := story.Bounded()
	defer cancel()
	_, err = send(producer, r)
	if r.Commit && err == nil {
		return producer.CommitTransaction(ctx)
	}
	return errors.Join(err, producer.AbortTransaction(ctx))
}

func (c *client) Fetch(r story.Request) ([]story.Record, error) {
	isolation := "read_uncommitted"
	if r.Committed {
		isolation = "read_committed"
	}
	// librdkafka wants a group's name even where it only assigns; it never joins the group.
	consumer, err := kafka.NewConsumer(settings(c.bootstrap, kafka.ConfigMap{
		"group.id": "unused", "enable.auto.commit": false, "auto.offset.reset": "error", "isolation.level": isolation,
	}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = consumer.Close() }()
	place := kafka.TopicPartition{Topic: &r.Topic, Partition: r.Partition, Offset: kafka.OffsetBeginning}
	if r.Offset != nil {
		place.Offset = kafka.Offset(*r.Offset)
	} else if r.TimestampMs != nil {
		place.Offset = kafka.Offset(*r.TimestampMs)
		found, err := consumer.OffsetsForTimes([]kafka.TopicPartition{place}, timeoutMs)
		if err != nil {
			return nil, err
		}
		place = found[0]
	}
	if err := consumer.Assign([]kafka.TopicPartition{place}); err != nil {
		return nil, err
	}
	got := []story.Record{}
	for len(got) < r.Count {
		message, err := consumer.ReadMessage(story.Timeout)
		if err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(got), r.Count, err)
		}
		got = append(got, answered(message))
	}
	return got, nil
}

func answered(message *kafka.Message) story.Record {
	one := story.Record{
		Offset: int64(message.TopicPartition.Offset), Key: message.Key, Value: message.Value,
		Headers: []story.Header{}, TimestampMs: message.Timestamp.UnixMilli(),
	}
	for _, header := range message.Headers {
		one.Headers = append(one.Headers, story.Header{Name: header.Key, Value: header.Value})
	}
	return one
}

func (c *client) Join(r story.Request) error {
	member, err := kafka.NewConsumer(settings(c.bootstrap, kafka.ConfigMap{
		"group.id":                           r.Group,
		"auto.offset.reset":                  "earliest",
		"enable.auto.commit":                 false,
		"session.timeout.ms":                 int(story.SessionTimeout.Milliseconds()),
		"heartbeat.interval.ms":              int(story.Heartbeat.Milliseconds()),
		"topic.metadata.refresh.interval.ms": 1000,
	}))
	if err != nil {
		return err
	}
	c.member = member
	return member.SubscribeTopics([]string{r.Topic}, nil)
}

func (c *client) Poll() ([]story.Got, error) {
	var got []story.Got
	ctx, cancel := context.WithTimeout(context.Background(), story.PollTime)
	defer cancel()
	for wait := story.PollTime; ctx.Err() == nil; {
		message, err := c.member.ReadMessage(wait)
		if err != nil {
			break // nothing came, or what came is an error that librdkafka gets over by itself
		}
		place := message.TopicPartition
		got = append(got, story.Got{Partition: place.Partition, Offset: int64(place.Offset), Value: message.Value})
		wait = time.Millisecond
	}
	return got, nil
}

func (c *client) Assigned() ([]int32, error) {
	places, err := c.member.Assignment()
	var partitions []int32
	for _, place := range places {
		partitions = append(partitions, place.Partition)
	}
	return partitions, err
}

func (c *client) CommitPolled() error {
	_, err := c.member.Commit()
	return err
}

func (c *client) Leave() error { return c.member.Close() }

func (c *client) Close() {
	c.producers.Each((*kafka.Producer).Close)
	c.admin.Close()
}
