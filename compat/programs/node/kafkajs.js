// Tells the story with kafkajs.

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')
const { requests } = require('./kafkajs-like')
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

const kafka = new Kafka({
  clientId: 'story',
  brokers: [process.argv[2]],
  logLevel: logLevel.NOTHING, // what goes wrong is raised
  retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 30 },
})
const admin = kafka.admin()

const common = {
  admin,
  // An idempotent one needs to have one request in flight, as it numbers what it retries anew otherwise.
  producer: ({ idempotent, transactionalId }) =>
    kafka.producer({
      metadataMaxAge: 1000,
      ...(idempotent || transactionalId ? { idempotent: true, maxInFlightRequests: 1, transactionalId } : {}),
    }),
  consumer: ({ groupId, committed }) =>
    kafka.consumer({
      groupId,
      readUncommitted: !committed,
      sessionTimeout: story.SESSION_TIMEOUT_MS,
      heartbeatInterval: story.HEARTBEAT_MS,
      maxWaitTimeInMs: story.POLL_MS,
      metadataMaxAge: 1000,
    }),
  sending: codec => ({ acks: -1, compression: CODECS[codec] }),
  reading: { subscribe: { fromBeginning: true }, run: { autoCommit: false } },
  assignments: (consumer, topic) => {
    let assigned = []
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      assigned = payload.memberAssignment[topic] ?? []
    })
    return () => assigned
  },
}

story.main({
  ...requests(common),
  version: () => story.packageVersion('kafkajs'),
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
})
