// Tells the story with kafkajs.

const { randomUUID } = require('node:crypto')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')
const story = require('./story')

// It has gzip itself; applications register the others.
const zstd = require('@bokuweb/zstd-wasm')
const zstdIsReady = zstd.init()
CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => {
  const { compressFrame, decompressFrame } = require('lz4-napi')
  return { compress: encoder => compressFrame(encoder.buffer), decompress: decompressFrame }
}
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async encoder => (await zstdIsReady, Buffer.from(zstd.compress(encoder.buffer))),
  decompress: async buffer => (await zstdIsReady, Buffer.from(zstd.decompress(buffer))),
})

const CODECS = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
/** It never splits what one send() is given, and a batch has to fit in max.message.bytes. */
const RECORDS_PER_SEND = 500

const kafka = new Kafka({
  clientId: 'story',
  brokers: [process.argv[2]],
  logLevel: logLevel.NOTHING, // what goes wrong is raised
  retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 30 },
})
const admin = kafka.admin()
const producers = new story.Kept()
const member = { consumer: null, topic: null, inbox: new story.Inbox(), assigned: [] }

async function producer(name, settings) {
  return producers.get(name, async () => {
    const made = kafka.producer({ metadataMaxAge: 1000, ...settings })
    await made.connect()
    return made
  })
}

/** Headers are an object: a name that comes several times has an array for its value. */
function toSend(record) {
  const headers = {}
  for (const [name, value] of record.headers) {
    headers[name] = name in headers ? [headers[name], value].flat() : value
  }
  return { ...record, headers, timestamp: String(record.timestampMs) }
}

function answered({ offset, key, value, headers, timestamp }) {
  const pairs = Object.entries(headers).flatMap(([name, found]) => [found].flat().map(each => [name, each]))
  return story.answered({ offset, key, value, headers: pairs, timestampMs: timestamp })
}

async function send(sender, { topic, partition, records }, compression) {
  const offsets = []
  for (let first = 0; first < records.length; first += RECORDS_PER_SEND) {
    const messages = records.slice(first, first + RECORDS_PER_SEND).map(each => ({ ...toSend(each), partition }))
    const [answer] = await sender.send({ topic, messages, acks: -1, compression })
    messages.forEach((_, place) => offsets.push(Number(answer.baseOffset) + place))
  }
  return offsets
}

async function produce(request) {
  const { codec, idempotent } = request
  // An idempotent one needs to have one request in flight, as it numbers what it retries anew otherwise.
  const settings = idempotent ? { idempotent, maxInFlightRequests: 1 } : {}
  return send(await producer(`${codec} ${idempotent}`, settings), request, CODECS[codec])
}

async function transact(request) {
  const transactionalId = request.transactional_id
  const settings = { transactionalId, idempotent: true, maxInFlightRequests: 1 }
  const transaction = await (await producer(transactionalId, settings)).transaction()
  try {
    await send(transaction, request, CompressionTypes.None)
  } catch (error) {
    await transaction.abort()
    throw error
  }
  await (request.commit ? transaction.commit() : transaction.abort())
}

async function startOf({ topic, partition, offset, timestamp_ms: timestampMs }) {
  if (offset !== null) return String(offset)
  const found =
    timestampMs === null
      ? (await admin.fetchTopicOffsets(topic)).map(each => ({ ...each, offset: each.low }))
      : await admin.fetchTopicOffsetsByTimestamp(topic, timestampMs)
  return found.find(each => each.partition === partition).offset
}

/** It reads only as a member of a group: this one is alone in its own, and seeks once it has the partition. */
async function fetch(request) {
  const { topic, partition, count, committed } = request
  const offset = await startOf(request)
  const consumer = kafka.consumer({ groupId: `fetch-${randomUUID()}`, readUncommitted: !committed, maxWaitTimeInMs: 100 })
  const got = []
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    let hasBegun = false
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        if (batch.partition !== partition || (!hasBegun && Number(batch.messages[0].offset) < Number(offset))) return
        hasBegun = true
        got.push(...batch.messages.map(answered))
      },
    })
    consumer.seek({ topic, partition, offset })
    await story.waitFor(() => got.length >= count, () => `${got.length} of ${count} records`)
    return got.slice(0, count)
  } finally {
    await consumer.disconnect()
  }
}

async function join({ topic, group }) {
  const consumer = kafka.consumer({
    groupId: group,
    sessionTimeout: story.SESSION_TIMEOUT_MS,
    heartbeatInterval: story.HEARTBEAT_MS,
    maxWaitTimeInMs: story.POLL_MS,
    metadataMaxAge: 1000,
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    member.assigned = payload.memberAssignment[topic] ?? []
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => member.inbox.push(partition, message.offset, message.value),
  })
  Object.assign(member, { consumer, topic })
}

async function commit() {
  const polled = member.inbox.offsetsOf(member.assigned)
  const offsets = polled.map(([partition, offset]) => ({ topic: member.topic, partition, offset: String(offset) }))
  await member.consumer.commitOffsets(offsets)
}

story.main({
  version: () => story.packageVersion('kafkajs'),
  create_topic: ({ topic, partitions, configs }) =>
    admin.createTopics({
      topics: [
        {
          topic,
          numPartitions: partitions,
          configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
        },
      ],
    }),
  delete_topic: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
  create_partitions: ({ topic, total }) => admin.createPartitions({ topicPartitions: [{ topic, count: total }] }),
  partition_counts: async () => {
    const { topics } = await admin.fetchTopicMetadata()
    return Object.fromEntries(topics.map(({ name, partitions }) => [name, partitions.length]))
  },
  topic_config: async ({ topic: name }) => {
    const { resources } = await admin.describeConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name }] })
    return Object.fromEntries(resources[0].configEntries.map(entry => [entry.configName, entry.configValue]))
  },
  set_topic_config: async ({ topic: name, values }) => {
    const configEntries = Object.entries(values).map(([key, value]) => ({ name: key, value }))
    await admin.alterConfigs({ resources: [{ type: ConfigResourceTypes.TOPIC, name, configEntries }] })
  },
  produce,
  transact,
  fetch,
  join,
  poll: () => member.inbox.poll(),
  assigned: () => member.assigned,
  commit,
  leave: () => member.consumer.disconnect(),
  close: () => Promise.all([admin, ...producers.all()].map(each => each.disconnect())),
})
