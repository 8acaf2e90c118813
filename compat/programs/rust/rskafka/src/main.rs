//! Tells the story with rskafka.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, Utc};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record;
use serde_json::{json, Value};
use story::{Answer, Bytes, Record, Request};
use tokio::runtime::Runtime;

const VERSION: &str = "0.6.0"; // as Cargo.toml pins it: the crate does not tell
const FETCH_BYTES_MAX: i32 = 4 << 20;
/// It sends what one call is given as one batch, which has to fit in max.message.bytes.
const RECORDS_PER_CALL: usize = 500;

struct Story {
    client: Client,
    producers: BTreeMap<(String, i32), PartitionClient>,
}

fn main() {
    let runtime = Runtime::new().expect("threads can be started");
    let client = runtime.block_on(ClientBuilder::new(vec![story::bootstrap()]).build());
    let mut story = Story { client: client.expect("the server is there"), producers: BTreeMap::new() };
    story::answer_lines(|request| {
        runtime.block_on(async {
            tokio::time::timeout(story::TIMEOUT, story.tell(request)).await.map_err(|_| "no answer in time")?
        })
    });
}

impl Story {
    async fn tell(&mut self, request: Request) -> Answer<Value> {
        let timeout_ms = story::TIMEOUT.as_millis() as i32;
        match request.what.as_str() {
            "version" => Ok(json!(VERSION)),
            "create_topic" => {
                let admin = self.client.controller_client()?;
                Ok(json!(admin.create_topic(request.topic, request.partitions, 1, timeout_ms).await?))
            }
            "delete_topic" => {
                let admin = self.client.controller_client()?;
                Ok(json!(admin.delete_topic(request.topic, timeout_ms).await?))
            }
            "partition_counts" => {
                let found = self.client.list_topics().await?;
                Ok(found.into_iter().map(|topic| (topic.name, json!(topic.partitions.len()))).collect())
            }
            "produce" => self.produce(request).await,
            "fetch" => self.fetch(request).await,
            _ => story::unsupported(&request),
        }
    }

    async fn partition(&self, topic: &str, partition: i32) -> Answer<PartitionClient> {
        Ok(self.client.partition_client(topic, partition, UnknownTopicHandling::Retry).await?)
    }

    async fn produce(&mut self, request: Request) -> Answer<Value> {
        let codec = match request.codec.as_str() {
            "gzip" => Compression::Gzip,
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4,
            "zstd" => Compression::Zstd,
            _ => Compression::NoCompression,
        };
        let place = (request.topic, request.partition);
        if !self.producers.contains_key(&place) {
            let made = self.partition(&place.0, place.1).await?;
            self.producers.insert(place.clone(), made);
        }
        let mut records: Vec<_> = request.records.into_iter().map(to_send).collect();
        let mut offsets = Vec::new();
        while !records.is_empty() {
            let batch = records.drain(..records.len().min(RECORDS_PER_CALL)).collect();
            offsets.extend(self.producers[&place].produce(batch, codec).await?);
        }
        Ok(json!(offsets))
    }

    async fn fetch(&self, request: Request) -> Answer<Value> {
        let reader = self.partition(&request.topic, request.partition).await?;
        let mut next = match (request.offset, request.timestamp_ms) {
            (Some(offset), _) => offset,
            (None, Some(stamp)) => reader.get_offset(OffsetAt::Timestamp(time(stamp))).await?,
            (None, None) => reader.get_offset(OffsetAt::Earliest).await?,
        };
        let mut got = Vec::new();
        let began = Instant::now();
        while got.len() < request.count && began.elapsed() < story::TIMEOUT {
            let (found, _) = reader.fetch_records(next, 1..FETCH_BYTES_MAX, 1000).await?;
            next = found.last().map_or(next, |last| last.offset + 1);
            got.extend(found.into_iter().map(answered));
        }
        got.truncate(request.count);
        story::fetched(got, request.count)
    }
}

fn time(stamp_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(stamp_ms).expect("a time of the story")
}

fn to_send(record: Record) -> record::Record {
    record::Record {
        key: record.key.0,
        value: record.value.0,
        headers: record.headers.into_iter().map(|(name, value)| (name, value.0.unwrap_or_default())).collect(),
        timestamp: time(record.timestamp_ms),
    }
}

fn answered(found: record::RecordAndOffset) -> Record {
    let record = found.record;
    Record {
        offset: found.offset,
        key: Bytes(record.key),
        value: Bytes(record.value),
        headers: record.headers.into_iter().map(|(name, value)| (name, Bytes(Some(value)))).collect(),
        timestamp_ms: record.timestamp.timestamp_millis(),
    }
}
