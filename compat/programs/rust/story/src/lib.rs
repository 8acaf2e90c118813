//! The part of a client's program that all Rust clients share: requests by the line, see ../README.md.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Duration;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

/// Bounds each call of a client.
pub const TIMEOUT: Duration = Duration::from_secs(20);
/// About how long a poll waits.
pub const POLL_TIME: Duration = Duration::from_millis(100);
/// A member's: as short as servers allow by default.
pub const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
pub const HEARTBEAT: Duration = Duration::from_millis(500);

pub type Answer<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Bytes that travel as base64, and null as none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bytes(pub Option<Vec<u8>>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let bytes = text.map(|text| STANDARD.decode(text)).transpose();
        bytes.map(Bytes).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(to)
    }
}

/// One to produce, or one that came back.
#[derive(Debug, Deserialize, Serialize)]
pub struct Record {
    #[serde(default)]
    pub offset: i64,
    pub key: Bytes,
    pub value: Bytes,
    pub headers: Vec<(String, Bytes)>,
    pub timestamp_ms: i64,
}

/// The arguments of all requests; each uses its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    #[serde(rename = "do")]
    pub what: String,
    pub topic: String,
    pub group: String,
    pub partitions: i32,
    pub total: usize,
    pub configs: BTreeMap<String, String>,
    pub values: BTreeMap<String, String>,
    pub partition: i32,
    pub records: Vec<Record>,
    pub codec: String,
    pub idempotent: bool,
    pub transactional_id: String,
    pub commit: bool,
    pub offset: Option<i64>,
    pub timestamp_ms: Option<i64>,
    pub count: usize,
    pub committed: bool,
}

/// What a client has no answer for.
pub fn unsupported(request: &Request) -> Answer<Value> {
    Err(format!("this client has nothing for {:?}", request.what).into())
}

/// What came back, as the answer to a fetch; an error where it is too little.
pub fn fetched(got: Vec<Record>, count: usize) -> Answer<Value> {
    if got.len() < count {
        return Err(format!("{} of {count} records in time", got.len()).into());
    }
    Ok(json!(got))
}

/// Answers the lines of stdin until they end.
pub fn answer_lines(mut tell: impl FnMut(Request) -> Answer<Value>) {
    for line in std::io::stdin().lock().lines() {
        let told = line
            .map_err(Into::into)
            .and_then(|line| serde_json::from_str(&line).map_err(Into::into))
            .and_then(&mut tell);
        let answer = match told {
            Ok(result) => json!({ "result": result }),
            Err(error) => json!({ "error": error.to_string() }),
        };
        println!("{answer}");
        std::io::stdout().flush().expect("whoever asked listens");
    }
}

/// `HOST:PORT`, the program's argument.
pub fn bootstrap() -> String {
    std::env::args().nth(1).expect("HOST:PORT is the argument")
}
