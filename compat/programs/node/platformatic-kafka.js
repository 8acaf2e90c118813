// Tells the story with @platformatic/kafka.

const { randomUUID } = require('node:crypto')
const platformatic = import('@platformatic/kafka') // modules of this kind are loaded asynchronously
const story = require('./story')

/** It never splits what one send() is given, and a batch has to fit in max.message.bytes. */
const RECORDS_PER_SEND = 500

const producers = new story.Kept()
const member = { consumer: null, stream: null, topic: null, inbox: new story.Inbox() }

const settings = more => ({
  clientId: 'story',
  bootstrapBrokers: [process.argv[2]],
  metadataMaxAge: 1000,
  retries: 60, // half a minute for a server that is away, or a coordinator that is not there yet
  retryDelay: 500,
  ...more,
})
const library = new story.Kept()
const admin = () => library.get('admin', async () => new (await platformatic).Admin(settings()))

/** Headers are a Map; with bytes for names it keeps their order, and one that comes again. */
function toSend(topic, partition, { key, value, headers, timestampMs }) {
  const named = new Map(headers.map(([name, content]) => [Buffer.from(name), content]))
  return { topic, partition, key, value, headers: named, timestamp: BigInt(timestampMs) }
}

function answered({ offset, key, value, headers, timestamp }) {
  return story.answered({ offset, key, value, headers: [...headers], timestampMs: timestamp })
}

async function send(sender, { topic, partition, records }, options) {
  const offsets = []
  for (let first = 0; first < records.length; first += RECORDS_PER_SEND) {
    const messages = records.slice(first, first + RECORDS_PER_SEND).map(each => toSend(topic, partition, each))
    const answer = await sender.send({ messages, acks: -1, ...options })
    messages.forEach((_, place) => offsets.push(Number(answer.offsets[0].offset) + place))
  }
  return offsets
}

async function produce(request) {
  const { codec, idempotent } = request
  const producer = await producers.get(`${codec} ${idempotent}`, async () => {
    const { Producer } = await platformatic
    return new Producer(settings({ idempotent }))
  })
  return send(producer, request, { compression: codec, idempotent })
}

async function transact(request) {
  const transactionalId = request.transactional_id
  const producer = await producers.get(transactionalId, async () => {
    const { Producer } = await platformatic
    return new Producer(settings({ transactionalId, idempotent: true }))
  })
  const transaction = await producer.beginTransaction({ idempotent: true })
  try {
    await send(transaction, request, {})
  } catch (error) {
    await transaction.abort()
    throw error
  }
  await (request.commit ? transaction.commit() : transaction.abort())
}

/** It reads only as a member of a group: this one is alone in its own, and says where to begin. */
async function fetch({ topic, partition, offset, timestamp_ms: timestampMs, count, committed }) {
  const { Consumer, FetchIsolationLevels, ListOffsetTimestamps } = await platformatic
  const { READ_COMMITTED, READ_UNCOMMITTED } = FetchIsolationLevels
  const isolationLevel = committed ? READ_COMMITTED : READ_UNCOMMITTED
  const consumer = new Consumer(settings({ groupId: `fetch-${randomUUID()}`, isolationLevel, maxWaitTime: 100 }))
  const got = []
  try {
    const timestamp = timestampMs === null ? ListOffsetTimestamps.EARLIEST : BigInt(timestampMs)
    const listed = await consumer.listOffsets({ topics: [topic], timestamp })
    const offsets = listed.get(topic).map((found, place) => ({ topic, partition: place, offset: found }))
    if (offset !== null) offsets[partition].offset = BigInt(offset)
    for (const each of offsets) if (each.offset < 0n) each.offset = 0n // empty ones
    const stream = await consumer.consume({ topics: [topic], mode: 'manual', offsets, autocommit: false, isolationLevel })
    let failure = null
    stream.on('error', error => (failure = error))
    stream.on('data', message => message.partition === partition && got.push(answered(message)))
    await story.waitFor(() => got.length >= count, () => `${got.length} of ${count} records`, () => failure)
    await stream.close()
    return got.slice(0, count)
  } finally {
    await consumer.close(true)
  }
}

async function join({ topic, group }) {
  const { Consumer } = await platformatic
  const consumer = new Consumer(
    settings({
      groupId: group,
      sessionTimeout: story.SESSION_TIMEOUT_MS,
      rebalanceTimeout: story.SESSION_TIMEOUT_MS,
      heartbeatInterval: story.HEARTBEAT_MS,
      maxWaitTime: story.POLL_MS,
    }),
  )
  const stream = await consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest', autocommit: false })
  stream.on('error', error => process.stderr.write(`${error.stack}\n`))
  stream.on('data', message => member.inbox.push(message.partition, message.offset, message.value))
  Object.assign(member, { consumer, stream, topic })
}

const assigned = () => member.consumer.assignments?.find(each => each.topic === member.topic)?.partitions ?? []

async function commit() {
  const polled = member.inbox.offsetsOf(assigned())
  await member.consumer.commit({
    offsets: polled.map(([partition, offset]) => ({
      topic: member.topic,
      partition,
      offset: BigInt(offset),
      leaderEpoch: -1,
    })),
  })
}

async function leave() {
  await member.stream.close()
  await member.consumer.close(true)
}

story.main({
  version: () => story.packageVersion('@platformatic/kafka'),
  create_topic: async ({ topic, partitions, configs }) => {
    const pairs = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await (await admin()).createTopics({ topics: [topic], partitions, replicas: 1, configs: pairs })
  },
  delete_topic: async ({ topic }) => (await admin()).deleteTopics({ topics: [topic] }),
  create_partitions: async ({ topic, total }) => {
    await (await admin()).createPartitions({ topics: [{ name: topic, count: total, assignments: null }] })
  },
  partition_counts: async () => {
    const asking = await admin()
    const { topics } = await asking.metadata({ topics: await asking.listTopics(), forceUpdate: true })
    return Object.fromEntries([...topics].map(([name, { partitionsCount }]) => [name, partitionsCount]))
  },
  topic_config: async ({ topic }) => {
    const { ConfigResourceTypes } = await platformatic
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: null }]
    const [found] = await (await admin()).describeConfigs({ resources })
    return Object.fromEntries(found.configs.map(({ name, value }) => [name, value]))
  },
  set_topic_config: async ({ topic, values }) => {
    const { ConfigResourceTypes, IncrementalAlterConfigOperationTypes } = await platformatic
    const configs = Object.entries(values).map(([name, value]) => ({
      name,
      value,
      configOperation: IncrementalAlterConfigOperationTypes.SET,
    }))
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }]
    await (await admin()).incrementalAlterConfigs({ resources })
  },
  produce,
  transact,
  fetch,
  join,
  poll: () => member.inbox.poll(),
  assigned,
  commit,
  leave,
  close: () => Promise.all([...library.all(), ...producers.all()].map(each => each.close())),
})
