// Command transform doubles numbers exactly once, with github.com/twmb/franz-go; ../../README.md says what it owes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	batch              = 25
	sessionTimeout     = 6 * time.Second
	heartbeat          = 500 * time.Millisecond
	transactionTimeout = 10 * time.Second
	soon               = 100 * time.Millisecond
)

func main() {
	bootstrap, source, target, group, id := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(bootstrap),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RequireStableFetchOffsets(),
		kgo.ConsumerGroup(group),
		kgo.InstanceID(id),
		kgo.ConsumeTopics(source),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		kgo.MetadataMinAge(soon),
		kgo.RetryBackoffFn(func(int) time.Duration { return soon }),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.DefaultProduceTopic(target),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for {
		count, err := transform(session)
		if err != nil {
			// What cannot go on ends; whoever started it starts another one, which fences this one.
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		if count > 0 {
			fmt.Println("committed", count)
		}
	}
}

// transform takes what has come and writes it, doubled, in one transaction with the positions.
func transform(session *kgo.GroupTransactSession) (int, error) {
	fetches := session.PollRecords(context.Background(), batch)
	fetches.EachError(func(topic string, partition int32, err error) {
		fmt.Println("unfetched:", topic, partition, err) // the client goes on by itself
	})
	if fetches.NumRecords() == 0 {
		return 0, nil
	}
	if err := session.Begin(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var broken error
	promise := kgo.AbortingFirstErrPromise(session.Client())
	fetches.EachRecord(func(record *kgo.Record) {
		number, err := strconv.Atoi(string(record.Value))
		broken = errors.Join(broken, err)
		doubled := kgo.StringRecord(strconv.Itoa(2 * number))
		doubled.Partition = record.Partition
		session.Produce(ctx, doubled, promise.Promise())
	})
	if broken != nil {
		return 0, broken
	}
	didCommit, err := session.End(ctx, kgo.TransactionEndTry(promise.Err() == nil))
	if err != nil {
		return 0, err
	}
	if !didCommit {
		fmt.Println("aborted") // the session has gone back to the committed positions
		return 0, nil
	}
	return fetches.NumRecords(), nil
}
