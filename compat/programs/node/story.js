// The part of a client's program that all clients of Node.js share: requests by the line, see ../README.md.

const path = require('node:path')
const readline = require('node:readline')

/** Bounds each wait for a client. */
const TIMEOUT_MS = 20_000
/** About how long a poll waits. */
const POLL_MS = 100
/** A member's: as short as servers allow by default. */
const SESSION_TIMEOUT_MS = 6_000
const HEARTBEAT_MS = 500

const bytes = text => (text === null ? null : Buffer.from(text, 'base64'))
const text = data => (data === null || data === undefined ? null : Buffer.from(data).toString('base64'))
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/** The version of a package that is installed beside this program. */
function packageVersion(name) {
  const folder = module.paths.map(each => path.join(each, name)).find(each => require('node:fs').existsSync(each))
  return require(path.join(folder, 'package.json')).version
}

/** A record to produce, with bytes for base64. */
function received(record) {
  const headers = record.headers.map(([name, value]) => [name, bytes(value)])
  return { key: bytes(record.key), value: bytes(record.value), headers, timestampMs: record.timestamp_ms }
}

/** A record that came back, as it travels; `headers` are pairs of a name and bytes. */
function answered({ offset, key, value, headers, timestampMs }) {
  return {
    offset: Number(offset),
    key: text(key),
    value: text(value),
    headers: headers.map(([name, content]) => [String(name), text(content)]),
    timestamp_ms: Number(timestampMs),
  }
}

/** Waits for `condition()` to be true; raises after `TIMEOUT_MS`, or at once what `failure()` returns. */
async function waitFor(condition, what, failure = () => null) {
  const deadline = Date.now() + TIMEOUT_MS
  while (!condition()) {
    if (failure()) throw failure()
    if (Date.now() > deadline) throw new Error(`within ${TIMEOUT_MS} ms: ${what()}`)
    await pause(5)
  }
}

/** What a member's client pushes, until a poll takes it. */
class Inbox {
  #records = []
  #nextOffsets = new Map()

  push(partition, offset, value) {
    this.#records.push([partition, Number(offset), text(value)])
  }

  /** Everything that has come by the end of about `POLL_MS`, or by the first record. */
  async poll() {
    const deadline = Date.now() + POLL_MS
    while (this.#records.length === 0 && Date.now() < deadline) await pause(5)
    const polled = this.#records
    this.#records = []
    for (const [partition, offset] of polled) this.#nextOffsets.set(partition, offset + 1)
    return polled
  }

  /** The offset behind what was polled of each of these partitions. */
  offsetsOf(partitions) {
    return [...this.#nextOffsets].filter(([partition]) => partitions.includes(partition))
  }
}

/** Makes what is kept by a name until the end of the program. */
class Kept {
  #made = new Map()

  async get(name, make) {
    if (!this.#made.has(name)) this.#made.set(name, await make())
    return this.#made.get(name)
  }

  all() {
    return [...this.#made.values()]
  }
}

/** Answers the lines of stdin until they end. `commands` has a function by each request's name, and `close`. */
async function main(commands) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer
    try {
      const request = JSON.parse(line)
      if (request.records) request.records = request.records.map(received)
      answer = { result: (await commands[request.do](request)) ?? null }
    } catch (error) {
      answer = { error: error?.stack ?? String(error) }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
  await commands.close()
  process.exit(0)
}

module.exports = {
  TIMEOUT_MS,
  POLL_MS,
  SESSION_TIMEOUT_MS,
  HEARTBEAT_MS,
  answered,
  packageVersion,
  pause,
  waitFor,
  Inbox,
  Kept,
  main,
}
