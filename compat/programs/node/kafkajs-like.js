// What kafkajs and @confluentinc/kafka-javascript share: the latter has the former's interface, but for where settings go.

const { randomUUID } = require('node:crypto')
const story = require('./story')

/** kafkajs never splits what one send() is given, and a batch has to fit in max.message.bytes. */
const RECORDS_PER_SEND = 500

/** Headers are an object: a name that comes several times has an array for its value. */
function toSend(record) {
  const headers = {}
  for (const [name, value] of record.headers) {
    headers[name] = name in headers ? [headers[name], value].flat() : value
  }
  return { ...record, headers, timestamp: String(record.timestampMs) }
}

function answered({ offset, key, value, headers, timestamp }) {
  const pairs = Object.entries(headers ?? {}).flatMap(([name, found]) => [found].flat().map(each => [name, each]))
  return story.answered({ offset, key, value, headers: pairs, timestampMs: timestamp })
}

/**
 * The requests about records and groups. A client tells where its settings go: `producer({codec, idempotent,
 * transactionalId})` and `consumer({groupId, committed})` make one, `sending(codec)` and `reading` are the options of
 * each call, `assignments(consumer, topic)` returns a function that tells a member's partitions.
 */
function requests({ admin, producer, consumer, sending, reading, assignments }) {
  const producers = new story.Kept()
  const member = { consumer: null, topic: null, inbox: new story.Inbox(), assigned: () => [] }

  const connected = (name, settings) =>
    producers.get(name, async () => {
      const made = producer(settings)
      await made.connect()
      return made
    })

  async function send(sender, { topic, partition, records }, options) {
    const offsets = []
    for (let first = 0; first < records.length; first += RECORDS_PER_SEND) {
      const messages = records.slice(first, first + RECORDS_PER_SEND).map(each => ({ ...toSend(each), partition }))
      const [answer] = await sender.send({ topic, messages, ...options })
      messages.forEach((_, place) => offsets.push(Number(answer.baseOffset) + place))
    }
    return offsets
  }

  async function transact(request) {
    const transactionalId = request.transactional_id
    const transaction = await (await connected(transactionalId, { codec: 'none', transactionalId })).transaction()
    try {
      await send(transaction, request, sending('none'))
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

  /** It reads only as a member of a group: this one is alone in its own, and seeks. */
  async function fetch(request) {
    const { topic, partition, count, committed } = request
    const offset = await startOf(request)
    const reader = consumer({ groupId: `fetch-${randomUUID()}`, committed })
    const got = []
    try {
      await reader.connect()
      await reader.subscribe({ topic, ...reading.subscribe })
      let hasBegun = false
      await reader.run({
        ...reading.run,
        eachBatch: async ({ batch }) => {
          if (batch.partition !== partition) return
          if (!hasBegun && Number(batch.messages[0].offset) < Number(offset)) return
          hasBegun = true
          got.push(...batch.messages.map(answered))
        },
      })
      reader.seek({ topic, partition, offset })
      await story.waitFor(() => got.length >= count, () => `${got.length} of ${count} records`)
      return got.slice(0, count)
    } finally {
      await reader.disconnect()
    }
  }

  async function join({ topic, group }) {
    const joining = consumer({ groupId: group, committed: true })
    Object.assign(member, { consumer: joining, topic, assigned: assignments(joining, topic) })
    await joining.connect()
    await joining.subscribe({ topic, ...reading.subscribe })
    await joining.run({
      ...reading.run,
      eachMessage: async ({ partition, message }) => member.inbox.push(partition, message.offset, message.value),
    })
  }

  async function commit() {
    const polled = member.inbox.offsetsOf(member.assigned())
    const offsets = polled.map(([partition, offset]) => ({ topic: member.topic, partition, offset: String(offset) }))
    await member.consumer.commitOffsets(offsets)
  }

  return {
    create_topic: ({ topic, partitions, configs }) => {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
      return admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }] })
    },
    delete_topic: ({ topic }) => admin.deleteTopics({ topics: [topic] }),
    produce: async request => {
      const { codec, idempotent } = request
      return send(await connected(`${codec} ${idempotent}`, { codec, idempotent }), request, sending(codec))
    },
    transact,
    fetch,
    join,
    poll: () => member.inbox.poll(),
    assigned: () => member.assigned(),
    commit,
    leave: () => member.consumer.disconnect(),
    close: () => Promise.all([admin, ...producers.all()].map(each => each.disconnect())),
  }
}

module.exports = { requests }
