//! Tells the story with rdkafka, which builds librdkafka.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::get_rdkafka_version;
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{json, Value};
use story::{Answer, Bytes, Record, Request};
use tokio::runtime::Runtime;

const VERSION: &str = "0.39.0"; // as Cargo.toml pins it: the crate does not tell

struct Story {
    runtime: Runtime,
    bootstrap: String,
    admin: AdminClient<DefaultClientContext>,
    producers: BTreeMap<String, FutureProducer>,
    member: Option<BaseConsumer>,
}

fn main() {
    let runtime = Runtime::new().expect("threads can be started");
    let bootstrap = story::bootstrap();
    let admin = {
        let _inside = runtime.enter();
        settings(&bootstrap, &[]).create().expect("an admin client without connections yet")
    };
    let mut story = Story { runtime, bootstrap, admin, producers: BTreeMap::new(), member: None };
    story::answer_lines(|request| story.tell(request));
}

/// Those of all clients and some more. What goes wrong is raised, so nothing is logged.
fn settings(bootstrap: &str, more: &[(&str, &str)]) -> ClientConfig {
    let mut all = ClientConfig::new();
    all.set("bootstrap.servers", bootstrap).set("reconnect.backoff.max.ms", "200");
    all.set_log_level(RDKafkaLogLevel::Emerg);
    for (name, value) in more {
        all.set(*name, *value);
    }
    all
}

/// The error of the one topic or resource that was asked for.
fn first<T>(answers: Vec<Result<T, (String, rdkafka::types::RDKafkaErrorCode)>>) -> Answer<Value> {
    match answers.into_iter().next() {
        Some(Err((name, code))) => Err(format!("{name}: {code}").into()),
        _ => Ok(Value::Null),
    }
}

impl Story {
    fn tell(&mut self, request: Request) -> Answer<Value> {
        let options = AdminOptions::new().request_timeout(Some(story::TIMEOUT));
        let topic = request.topic.as_str();
        match request.what.as_str() {
            "version" => Ok(json!(format!("{VERSION}, librdkafka {}", get_rdkafka_version().1))),
            "create_topic" => {
                let mut wanted = NewTopic::new(topic, request.partitions, TopicReplication::Fixed(1));
                for (name, value) in &request.configs {
                    wanted = wanted.set(name, value);
                }
                first(self.runtime.block_on(self.admin.create_topics([&wanted], &options))?)
            }
            "delete_topic" => first(self.runtime.block_on(self.admin.delete_topics(&[topic], &options))?),
            "create_partitions" => {
                let wanted = NewPartitions::new(topic, request.total);
                first(self.runtime.block_on(self.admin.create_partitions([&wanted], &options))?)
            }
            "partition_counts" => {
                let found = self.admin.inner().fetch_metadata(None, story::TIMEOUT)?;
                let counts = found.topics().iter().map(|one| (one.name().to_string(), json!(one.partitions().len())));
                Ok(counts.collect())
            }
            "topic_config" => {
                let asked = [ResourceSpecifier::Topic(topic)];
                let answers = self.runtime.block_on(self.admin.describe_configs(&asked, &options))?;
                let found = answers.into_iter().next().ok_or("no answer for the topic")??;
                Ok(found.entries.into_iter().map(|entry| (entry.name, json!(entry.value))).collect())
            }
            "set_topic_config" => {
                let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(topic));
                for (name, value) in &request.values {
                    wanted = wanted.set(name, value);
                }
                self.runtime.block_on(self.admin.alter_configs([&wanted], &options))?;
                Ok(Value::Null)
            }
            "produce" => self.produce(request),
            "transact" => self.transact(request),
            "fetch" => self.fetch(request),
            "join" => self.join(&request),
            "poll" => self.poll(),
            "assigned" => {
                let assigned = self.member()?.assignment()?;
                Ok(assigned.elements().iter().map(|place| place.partition()).collect())
            }
            "commit" => Ok(json!(self.member()?.commit_consumer_state(CommitMode::Sync)?)),
            "leave" => {
                drop(self.member.take());
                Ok(Value::Null)
            }
            _ => story::unsupported(&request),
        }
    }

    fn producer(&mut self, name: String, more: &[(&str, &str)]) -> Answer<FutureProducer> {
        if let Some(kept) = self.producers.get(&name) {
            return Ok(kept.clone());
        }
        let _inside = self.runtime.enter();
        let mut all = settings(&self.bootstrap, more);
        let made: FutureProducer = all.set("acks", "all").set("linger.ms", "20").create()?;
        if more.iter().any(|(name, _)| *name == "transactional.id") {
            made.init_transactions(story::TIMEOUT)?;
        }
        self.producers.insert(name, made.clone());
        Ok(made)
    }

    fn send(&self, producer: &FutureProducer, request: &Request) -> Answer<Vec<i64>> {
        let _inside = self.runtime.enter();
        let mut pending = Vec::new();
        for record in &request.records {
            let mut headers = OwnedHeaders::new();
            for (name, value) in &record.headers {
                headers = headers.insert(Header { key: name, value: value.0.as_ref() });
            }
            let mut wanted = FutureRecord::to(&request.topic)
                .partition(request.partition)
                .timestamp(record.timestamp_ms)
                .headers(headers);
            wanted.key = record.key.0.as_ref();
            wanted.payload = record.value.0.as_ref();
            pending.push(producer.send_result(wanted).map_err(|(error, _)| error)?);
        }
        let mut offsets = Vec::new();
        for one in pending {
            let delivered = self.runtime.block_on(one)?;
            offsets.push(delivered.map_err(|(error, _)| error)?.offset);
        }
        Ok(offsets)
    }

    fn produce(&mut self, request: Request) -> Answer<Value> {
        let idempotent = request.idempotent.to_string();
        let more = [("compression.type", request.codec.as_str()), ("enable.idempotence", &idempotent)];
        let producer = self.producer(format!("{} {idempotent}", request.codec), &more)?;
        Ok(json!(self.send(&producer, &request)?))
    }

    fn transact(&mut self, request: Request) -> Answer<Value> {
        let id = request.transactional_id.as_str();
        let producer = self.producer(format!("transactional {id}"), &[("transactional.id", id)])?;
        producer.begin_transaction()?;
        self.send(&producer, &request)?;
        match request.commit {
            true => producer.commit_transaction(story::TIMEOUT)?,
            false => producer.abort_transaction(story::TIMEOUT)?,
        }
        Ok(Value::Null)
    }

    fn fetch(&self, request: Request) -> Answer<Value> {
        let isolation = if request.committed { "read_committed" } else { "read_uncommitted" };
        // librdkafka wants a group's name even where it only assigns; it never joins the group.
        let more = [
            ("group.id", "unused"),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "error"),
            ("isolation.level", isolation),
        ];
        let consumer: BaseConsumer = settings(&self.bootstrap, &more).create()?;
        let mut places = TopicPartitionList::new();
        let from = match (request.offset, request.timestamp_ms) {
            (Some(offset), _) => Offset::Offset(offset),
            (None, Some(stamp)) => Offset::Offset(stamp),
            (None, None) => Offset::Beginning,
        };
        places.add_partition_offset(&request.topic, request.partition, from)?;
        if request.offset.is_none() && request.timestamp_ms.is_some() {
            places = consumer.offsets_for_times(places, story::TIMEOUT)?;
        }
        consumer.assign(&places)?;
        let began = Instant::now();
        let mut got = Vec::new();
        while got.len() < request.count && began.elapsed() < story::TIMEOUT {
            if let Some(message) = consumer.poll(story::POLL_TIME) {
                got.push(answered(&message?));
            }
        }
        story::fetched(got, request.count)
    }

    fn join(&mut self, request: &Request) -> Answer<Value> {
        let session_ms = story::SESSION_TIMEOUT.as_millis().to_string();
        let heartbeat_ms = story::HEARTBEAT.as_millis().to_string();
        let more = [
            ("group.id", request.group.as_str()),
            ("enable.auto.commit", "false"),
            ("auto.offset.reset", "earliest"),
            ("session.timeout.ms", &session_ms),
            ("heartbeat.interval.ms", &heartbeat_ms),
            ("topic.metadata.refresh.interval.ms", "1000"),
        ];
        let member: BaseConsumer = settings(&self.bootstrap, &more).create()?;
        member.subscribe(&[&request.topic])?;
        self.member = Some(member);
        Ok(Value::Null)
    }

    fn member(&self) -> Result<&BaseConsumer, KafkaError> {
        self.member.as_ref().ok_or(KafkaError::Canceled)
    }

    fn poll(&self) -> Answer<Value> {
        let mut got = Vec::new();
        let began = Instant::now();
        let mut wait = story::POLL_TIME;
        while let Some(polled) = self.member()?.poll(wait) {
            // Errors here are such as librdkafka gets over by itself.
            if let Ok(message) = polled {
                let value = Bytes(message.payload().map(Vec::from));
                got.push(json!([message.partition(), message.offset(), value]));
                wait = std::time::Duration::from_millis(1);
            }
            if began.elapsed() > story::POLL_TIME {
                break;
            }
        }
        Ok(json!(got))
    }
}

fn answered(message: &BorrowedMessage) -> Record {
    let headers = message.headers().map(|all| all.iter().map(|one| (one.key.into(), Bytes(one.value.map(Vec::from)))));
    Record {
        offset: message.offset(),
        key: Bytes(message.key().map(Vec::from)),
        value: Bytes(message.payload().map(Vec::from)),
        headers: headers.map_or_else(Vec::new, Iterator::collect),
        timestamp_ms: message.timestamp().to_millis().unwrap_or(-1),
    }
}
