// Command share-worker is one share consumer of github.com/twmb/franz-go, which can be killed, and tells what happens
// to it: what compat/share_workers/confluent_worker.py is for librdkafka.
// Arguments: HOST:PORT, KEY=VALUE settings joined by ";", of which group.id and share.max.records count, topics.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

var names = map[kgo.AckStatus]string{
	kgo.AckAccept:  "accept",
	kgo.AckRelease: "release",
	kgo.AckReject:  "reject",
}

func main() {
	settings := map[string]string{}
	for _, pair := range strings.Split(os.Args[2], ";") {
		key, value, _ := strings.Cut(pair, "=")
		settings[key] = value
	}
	var mutex sync.Mutex
	failed := false
	options := []kgo.Opt{
		kgo.SeedBrokers(os.Args[1]),
		kgo.ConsumeTopics(os.Args[3:]...),
		kgo.ShareGroup(settings["group.id"]),
		kgo.ShareAckCallback(func(_ *kgo.Client, results kgo.ShareAckResults) {
			for _, result := range results {
				if result.Err != nil {
					fmt.Fprintln(os.Stderr, result.Err)
					mutex.Lock()
					failed = true
					mutex.Unlock()
				}
			}
		}),
	}
	if limit, err := strconv.Atoi(settings["share.max.records"]); err == nil {
		options = append(options, kgo.ShareMaxRecords(int32(limit)))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mustClose, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		cancel()
	}()
	for mustClose.Err() == nil {
		records := client.PollFetches(mustClose).Records()
		for _, record := range records {
			tell("got", record)
			client.MarkAcks(kind(record), record)
		}
		if len(records) == 0 {
			continue
		}
		mutex.Lock()
		failed = false
		mutex.Unlock()
		patience, done := context.WithTimeout(context.Background(), 10*time.Second)
		err := client.FlushAcks(patience)
		done()
		mutex.Lock()
		isSettled := err == nil && !failed
		mutex.Unlock()
		for _, record := range records {
			if isSettled {
				tell(names[kind(record)], record)
			}
		}
	}
	client.Close()
}

// kind is what the record's value asks for.
func kind(record *kgo.Record) kgo.AckStatus {
	value := string(record.Value)
	if strings.HasPrefix(value, "reject") {
		return kgo.AckReject
	}
	if strings.HasPrefix(value, "release") && record.DeliveryCount() == 1 {
		return kgo.AckRelease
	}
	return kgo.AckAccept
}

func tell(what string, record *kgo.Record) {
	line, _ := json.Marshal([]any{what, record.Partition, record.Offset, record.DeliveryCount(), string(record.Value), time.Now().UnixMilli()})
	fmt.Println(string(line))
}
