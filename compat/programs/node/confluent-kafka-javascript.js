// Tells the story with @confluentinc/kafka-javascript, which builds librdkafka, by its kafkajs-like interface.

const confluent = require('@confluentinc/kafka-javascript')
const { requests } = require('./kafkajs-like')
const story = require('./story')

const { CompressionTypes, Kafka, logLevel } = confluent.KafkaJS
const bootstrap = process.argv[2]
const settings = { brokers: [bootstrap], logLevel: logLevel.NOTHING } // what goes wrong is raised

const kafka = new Kafka({ kafkaJS: settings, 'reconnect.backoff.max.ms': 200 })
const admin = kafka.admin()
const connected = admin.connect()
const plain = confluent.AdminClient.create({ 'bootstrap.servers': bootstrap, log_level: 0 }) // for partitions

const common = {
  admin,
  producer: ({ codec, idempotent, transactionalId }) =>
    kafka.producer({
      kafkaJS: {
        acks: -1,
        compression: codec === 'none' ? CompressionTypes.None : CompressionTypes[codec.toUpperCase()],
        ...(transactionalId ? { transactionalId } : { idempotent }),
      },
      'linger.ms': 20,
    }),
  consumer: ({ groupId, committed }) =>
    kafka.consumer({
      kafkaJS: {
        groupId,
        fromBeginning: true,
        autoCommit: false,
        readUncommitted: !committed,
        sessionTimeout: story.SESSION_TIMEOUT_MS,
        heartbeatInterval: story.HEARTBEAT_MS,
        metadataMaxAge: 1000,
      },
    }),
  sending: () => ({}),
  reading: { subscribe: {}, run: {} },
  assignments: (consumer, topic) => () =>
    consumer.assignment().flatMap(each => (each.topic === topic ? [each.partition] : [])),
}

const all = requests(common)
story.main({
  ...all,
  version: () => `${story.packageVersion('@confluentinc/kafka-javascript')}, librdkafka ${confluent.librdkafkaVersion}`,
  create_topic: async request => (await connected, all.create_topic(request)),
  create_partitions: ({ topic, total }) =>
    new Promise((resolve, reject) => {
      plain.createPartitions(topic, total, story.TIMEOUT_MS, error => (error ? reject(error) : resolve()))
    }),
  partition_counts: async () => {
    const topics = await admin.listTopics()
    if (topics.length === 0) return {}
    const found = await admin.fetchTopicMetadata({ topics })
    return Object.fromEntries(found.map(({ name, partitions }) => [name, partitions.length]))
  },
  close: async () => {
    plain.disconnect()
    await all.close()
  },
})
