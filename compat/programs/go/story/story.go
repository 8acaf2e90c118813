// Package story is the part of a client's program that all Go clients share: requests by the line, see ../README.md.
package story

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"time"
)

// Timeout bounds each call of a client.
const Timeout = 20 * time.Second

// PollTime is about how long a poll waits.
const PollTime = 100 * time.Millisecond

// SessionTimeout and Heartbeat are a member's: as short as servers allow by default.
const (
	SessionTimeout = 6 * time.Second
	Heartbeat      = 500 * time.Millisecond
)

// Header travels as an array of name and value.
type Header struct {
	Name  string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Name, h.Value}) }

func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

// Record is one to produce, or one that came back.
type Record struct {
	Offset      int64    `json:"offset"`
	Key         []byte   `json:"key"`
	Value       []byte   `json:"value"`
	Headers     []Header `json:"headers"`
	TimestampMs int64    `json:"timestamp_ms"`
}

// Request has the arguments of all requests; each uses its own.
type Request struct {
	Do              string             `json:"do"`
	Topic           string             `json:"topic"`
	Group           string             `json:"group"`
	Partitions      int32              `json:"partitions"`
	Total           int                `json:"total"`
	Configs         map[string]*string `json:"configs"`
	Values          map[string]*string `json:"values"`
	Partition       int32              `json:"partition"`
	Records         []Record           `json:"records"`
	Codec           string             `json:"codec"`
	Idempotent      bool               `json:"idempotent"`
	TransactionalID string             `json:"transactional_id"`
	Commit          bool               `json:"commit"`
	Offset          *int64             `json:"offset"`
	TimestampMs     *int64             `json:"timestamp_ms"`
	Count           int                `json:"count"`
	Committed       bool               `json:"committed"`
}

// Got is a record that a member read; it travels as an array.
type Got struct {
	Partition int32
	Offset    int64
	Value     []byte
}

func (g Got) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{g.Partition, g.Offset, g.Value})
}

// Client is one client behind the story.
type Client interface {
	CreateTopic(r Request) error
	DeleteTopic(r Request) error
	CreatePartitions(r Request) error
	PartitionCounts() (map[string]int, error)
	TopicConfig(r Request) (map[string]*string, error)
	SetTopicConfig(r Request) error
	Produce(r Request) ([]int64, error)
	Transact(r Request) error
	Fetch(r Request) ([]Record, error)
	Join(r Request) error
	Poll() ([]Got, error)
	Assigned() ([]int32, error)
	CommitPolled() error
	Leave() error
	Close()
}

// Module is the version of a module that is linked into this program.
func Module(path string) string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return "unknown"
}

// Main answers the lines of stdin until they end.
func Main(module string, connect func(bootstrap string) (Client, error)) {
	client, err := connect(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		var request Request
		var result any
		if err = json.Unmarshal(line, &request); err == nil {
			result, err = tell(client, module, request)
		}
		if err != nil {
			_ = answers.Encode(map[string]string{"error": err.Error()})
		} else {
			_ = answers.Encode(map[string]any{"result": result})
		}
	}
	client.Close()
}

func tell(client Client, module string, r Request) (any, error) {
	switch r.Do {
	case "version":
		return Module(module), nil
	case "create_topic":
		return nil, client.CreateTopic(r)
	case "delete_topic":
		return nil, client.DeleteTopic(r)
	case "create_partitions":
		return nil, client.CreatePartitions(r)
	case "partition_counts":
		return client.PartitionCounts()
	case "topic_config":
		return client.TopicConfig(r)
	case "set_topic_config":
		return nil, client.SetTopicConfig(r)
	case "produce":
		return client.Produce(r)
	case "transact":
		return nil, client.Transact(r)
	case "fetch":
		return client.Fetch(r)
	case "join":
		return nil, client.Join(r)
	case "poll":
		return listed(client.Poll())
	case "assigned":
		return listed(client.Assigned())
	case "commit":
		return nil, client.CommitPolled()
	case "leave":
		return nil, client.Leave()
	}
	return nil, fmt.Errorf("unknown request %q", r.Do)
}

// listed makes an empty list of none, as JSON knows the two apart.
func listed[T any](found []T, err error) ([]T, error) {
	if found == nil {
		found = []T{}
	}
	return found, err
}
