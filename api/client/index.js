/**
 * Sluice from JavaScript: one module for browsers and Node 18 or newer, which needs nothing else.
 * What is told to come again later (429, 503) is sent again, as late as it was told and a bounded number of
 * times; every write carries an Idempotency-Key, so that one whose answer was lost is stored once all the same.
 */

const FIRST_WAIT = 250 // ms; doubled with each try where the broker named no time
const LONGEST_WAIT = 10_000
const JITTER = 500 // ms on top of a time that the broker named, so that not all come back at once
const SILENCE = 45_000 // ms; a stream sends a comment every 15 s
const LONGEST_LINE = 16 * 1024 * 1024 // characters

const WRITE = ['wait', 'event', 'persist', 'duplicateKeyHandling', 'createDatasetOnDemand', 'atomic', 'timeout']
const LOAD = ['wait', 'event', 'duplicateKeyHandling', 'overwrite', 'maximumValidationErrors', 'timeout']
const RANGE = ['from', 'to', 'on', 'range', 'where']
const PAGE = ['last', 'first', 'limit', 'offset', 'sort', 'filter', 'format']
const ALERTS = ['rule', 'state', 'from', 'to', 'limit', 'after']

/**
 * What can be called: method, path, and of what is given the body and the query. A `keyed` call carries an
 * Idempotency-Key; a `safe` one may be sent again though nobody knows whether it was done; the broker `waits`
 * so many seconds before it answers, unless `timeout` says otherwise.
 */
const CALLS = {
  write: { send: 'POST /v1/write/{workspace}/{id}', body: 'data', query: WRITE, keyed: true },
  record: { send: 'POST /v1/record/{workspace}/{id}', body: 'data', query: WRITE, keyed: true },
  load: { send: 'POST /v1/data/{workspace}/{id}', body: 'data', query: LOAD, keyed: true, waits: 60 },
  outcome: { send: 'GET /v1/writes/{writeId}' },
  query: { send: 'GET /v1/data/{workspace}/{id}/{key?}/{subkey?}', query: [...RANGE, ...PAGE] },
  sql: { send: 'POST /v1/sql/{workspace}', body: ['query', 'parameters'], safe: true, waits: 20 },
  delete: { send: 'DELETE /v1/data/{workspace}/{id}/{key?}/{subkey?}', query: [...RANGE, 'timeout'], keyed: true },
  jobs: { send: 'GET /v1/jobs/{workspace}/ingest' },
  job: { send: 'GET /v1/jobs/{workspace}/ingest/{jobId}' },
  cancelJob: { send: 'DELETE /v1/jobs/{workspace}/ingest/{jobId}' },
  retryJob: { send: 'POST /v1/jobs/{workspace}/ingest/{jobId}/retry' },
  invalidRecords: { send: 'GET /v1/jobs/{workspace}/ingest/{jobId}/invalid-records-log' },
  createDataset: { send: 'POST /v1/datasets/{workspace}', body: 'dataset' },
  datasets: { send: 'GET /v1/datasets/{workspace}' },
  dataset: { send: 'GET /v1/datasets/{workspace}/{id}' },
  changeDataset: { send: 'PATCH /v1/datasets/{workspace}/{id}', body: 'changes' },
  renameDataset: { send: 'PUT /v1/datasets/{workspace}/{id}/{newId}', safe: false },
  deleteDataset: { send: 'DELETE /v1/datasets/{workspace}/{id}' },
  generateSchema: { send: 'POST /v1/generate-schema/{workspace}', body: 'data', safe: true },
  createRule: { send: 'POST /v1/rules/{workspace}', body: 'rule' },
  rules: { send: 'GET /v1/rules/{workspace}' },
  rule: { send: 'GET /v1/rules/{workspace}/{id}' },
  replaceRule: { send: 'PUT /v1/rules/{workspace}/{id}', body: 'rule' },
  deleteRule: { send: 'DELETE /v1/rules/{workspace}/{id}' },
  pauseRule: { send: 'POST /v1/rules/{workspace}/{id}/pause', safe: true },
  resumeRule: { send: 'POST /v1/rules/{workspace}/{id}/resume', safe: true },
  testRule: { send: 'POST /v1/rules/{workspace}/{id?}/test', body: ['rule', 'events'], safe: true },
  alerts: { send: 'GET /v1/alerts/{workspace}', query: ALERTS },
  acknowledge: { send: 'POST /v1/alerts/{workspace}/{id}/ack', body: ['note'], safe: true },
  subscribe: { send: 'POST /v1/subscriptions/{workspace}', body: 'subscription' },
  subscriptions: { send: 'GET /v1/subscriptions/{workspace}' },
  changeSubscription: { send: 'PATCH /v1/subscriptions/{workspace}/{id}', body: 'changes' },
  unsubscribe: { send: 'DELETE /v1/subscriptions/{workspace}/{id}' },
  quarantine: { send: 'GET /v1/quarantine/{workspace}/{id?}', query: ['limit', 'after'] },
  redrive: { send: 'POST /v1/quarantine/{workspace}/{id}/redrive', safe: true },
  createToken: { send: 'POST /v1/tokens', body: ['workspace', 'dataset', 'scopes', 'title', 'expires'] },
  tokens: { send: 'GET /v1/tokens', query: ['workspace'] },
  revokeToken: { send: 'DELETE /v1/tokens/{id}' },
}

/** Why a call was rejected. `status` is 0 where no answer came; `code` is then `network` or `timeout`. */
export class SluiceError extends Error {
  constructor(message, { status = 0, code = 'network', retryAfter = null, body = null, cause } = {}) {
    super(message, { cause })
    this.name = 'SluiceError'
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
    this.writeId = body?.writeId ?? null
    this.errors = body?.errors ?? []
    this.body = body
  }
}

/** A broker, and the token to call it with. */
export class Sluice {
  #url
  #token
  #fetch
  #patience

  constructor({ url = 'http://127.0.0.1:8080', token, requestTimeout = 30_000, retries = 5, retryFor = 60_000, fetch } = {}) {
    const call = fetch ?? globalThis.fetch
    this.#url = String(url).replace(/\/+$/, '')
    this.#token = token
    this.#fetch = (...given) => call(...given) // a browser's own must not be called as a method
    this.#patience = { requestTimeout, retries, retryFor }
  }

  /** Sends any request of the HTTP interface. Resolves with the answer's JSON, its text, or null. */
  async request(method, path, options = {}) {
    const { requestTimeout, retries, retryFor, waits = 0, signal } = { ...this.#patience, ...defined(options) }
    const { body, idempotencyKey, safe = idempotencyKey != null || !['POST', 'PATCH'].includes(method) } = options
    const ends = Date.now() + retryFor
    for (let tries = 1; ; tries++) {
      const limit = new Limit(Math.max(requestTimeout, waits * 1000 + 5000), signal)
      try {
        return await this.#ask(method, path, options, limit.signal)
      } catch (failure) {
        const error = limit.explain(failure)
        const wait = waiting(error, tries)
        const over = tries > retries || Date.now() + wait > ends
        if (over || !again(error, safe) || streamed(body)) throw error
        await pause(wait, signal)
      } finally {
        limit.release()
      }
    }
  }

  /** Yields `{id, type, data}` for each change of an alert, and misses none, until `signal` ends it. */
  alertStream({ workspace, lastEventId, signal }) {
    return this.#follow(filled('/v1/alerts/{workspace}/stream', { workspace }), lastEventId, signal)
  }

  /** Yields `{type, data}` for each record as it happens; what comes while it connects again is missed. */
  eventStream({ workspace, id, signal }) {
    return this.#follow(filled('/v1/events/{workspace}/{id?}/stream', { workspace, id }), undefined, signal)
  }

  async #ask(method, path, { query, body, contentType, accept, idempotencyKey }, signal) {
    const headers = this.#headers({ accept, 'idempotency-key': idempotencyKey, 'content-type': contentType })
    const init = { method, headers, signal }
    if (body !== undefined) {
      init.body = raw(body) ? body : JSON.stringify(body)
      headers['content-type'] ??= raw(body) ? 'application/octet-stream' : 'application/json'
      if (streamed(body)) init.duplex = 'half'
    }
    const search = new URLSearchParams(defined(query ?? {})).toString()
    return read(await this.#fetch(this.#url + path + (search && `?${search}`), init))
  }

  async *#follow(path, lastEventId, signal) {
    let last = lastEventId
    for (let tries = 1; !signal?.aborted; tries++) {
      const limit = new Limit(SILENCE, signal)
      let wait = FIRST_WAIT
      try {
        const headers = this.#headers({ accept: 'text/event-stream', 'last-event-id': last })
        const response = await this.#fetch(this.#url + path, { headers, signal: limit.signal, cache: 'no-store' })
        if (!response.ok) await read(response)
        for await (const event of events(response.body.getReader(), limit)) {
          if (signal?.aborted) return
          tries = 0
          last = event.id ?? last
          if (event.data !== undefined) yield event
        }
      } catch (failure) {
        if (signal?.aborted) return
        const error = limit.explain(failure)
        if (!again(error, true)) throw error
        wait = waiting(error, Math.max(tries, 1))
      } finally {
        limit.abort() // also where the reader leaves: the connection ends with the loop
      }
      await pause(wait, signal).catch(() => undefined)
    }
  }

  #headers(more) {
    return defined({ authorization: this.#token && `Bearer ${this.#token}`, ...more })
  }
}

for (const [name, { send, body, query = [], keyed, safe, waits }] of Object.entries(CALLS)) {
  const [method, path] = send.split(' ')
  Sluice.prototype[name] = async function (given = {}) {
    if (body === 'data' && given.data === undefined) throw new TypeError(`${name}: 'data' is missing`)
    return this.request(method, filled(path, given), {
      ...given,
      body: Array.isArray(body) ? pick(given, body) : given[body],
      query: pick(given, query),
      idempotencyKey: keyed && given.idempotencyKey === undefined ? newKey() : given.idempotencyKey,
      safe,
      waits: given.timeout ?? waits,
    })
  }
}

/** An AbortSignal that fires with another one, or after so many milliseconds without a word. */
class Limit {
  #controller = new AbortController()
  #outer
  #abort = () => this.#controller.abort()
  #ms
  #timer
  #late = false

  constructor(ms, outer) {
    this.#ms = ms
    this.#outer = outer
    outer?.addEventListener('abort', this.#abort)
    if (outer?.aborted) this.abort()
    else this.renew()
  }

  get signal() {
    return this.#controller.signal
  }

  renew() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#late = true
      this.#abort()
    }, this.#ms)
  }

  release() {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.#abort)
  }

  abort() {
    this.release()
    this.#abort()
  }

  /** Returns why a request failed: the broker's word, the caller's own reason to end it, or what came between. */
  explain(error) {
    if ([SluiceError, RangeError, SyntaxError].some((known) => error instanceof known)) return error
    if (this.#outer?.aborted) return this.#outer.reason
    if (this.#late) return new SluiceError(`Nothing came within ${this.#ms} ms.`, { code: 'timeout', cause: error })
    return new SluiceError(`No answer: ${error?.cause?.message ?? error?.message ?? error}.`, { cause: error })
  }
}

async function read(response) {
  const text = await response.text()
  const json = /[/+]json\b/.test(response.headers.get('content-type') ?? '')
  if (response.ok) return json ? JSON.parse(text) : text || null
  const body = json ? parsed(text) : null
  throw new SluiceError(body?.message ?? `The answer was ${response.status} ${text.slice(0, 200)}`.trim(), {
    status: response.status,
    code: body?.code ?? `http_${response.status}`,
    retryAfter: seconds(response.headers.get('retry-after')),
    body,
  })
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null // a proxy's page under a wrong name
  }
}

/** Returns what Retry-After says, whole seconds or a date, in seconds; null where it says nothing. */
function seconds(header) {
  if (header === null) return null
  const told = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(told) ? null : Math.max(0, told)
}

/** Yields the events of a stream (WHATWG HTML, section 9.2). */
async function* events(reader, limit) {
  const decoder = new TextDecoder()
  let text = ''
  let event = {}
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    limit.renew()
    text += decoder.decode(value, { stream: true })
    const lines = text.split(/\r\n|\n|\r(?!$)/)
    text = lines.pop()
    if (text.length > LONGEST_LINE) throw new RangeError('A line of the stream is too long for an event.')
    for (const line of lines) {
      const [, name, rest] = /^([^:]*):? ?(.*)$/s.exec(line)
      if (line === '') {
        if (event.data !== undefined) event.data = JSON.parse(event.data)
        yield event
        event = {}
      } else if (name === 'data') event.data = event.data === undefined ? rest : `${event.data}\n${rest}`
      else if (name === 'id') event.id = rest
      else if (name === 'event') event.type = rest
    }
  }
}

/** Returns whether a request may be sent again; `safe` says that doing it twice is doing it once. */
function again(error, safe) {
  if (!(error instanceof SluiceError)) return false
  if (error.status === 429) return true
  if (error.status === 503) return error.code !== 'pending' && (safe || error.code !== 'outcome_unknown')
  return error.status === 0 && safe
}

/** Returns how many milliseconds to wait before the next try. */
function waiting(error, tries) {
  if (error.retryAfter != null) return error.retryAfter * 1000 + Math.random() * JITTER
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * (0.5 + Math.random() / 2)
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const ended = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', ended)
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(ended, signal?.aborted ? 0 : ms)
    signal?.addEventListener('abort', ended)
  })
}

/** Returns a path with its `{names}` filled in; those that end in `?` may be left out, with their slash. */
function filled(path, given) {
  return path.replace(/\/\{(\w+)(\??)\}/g, (_, name, optional) => {
    if (given[name] !== undefined && given[name] !== '') return `/${segment(given[name])}`
    if (optional) return ''
    throw new TypeError(`'${name}' is missing`)
  })
}

function segment(value) {
  return Array.isArray(value) ? value.map(encodeURIComponent).join(',') : encodeURIComponent(value)
}

function pick(given, names) {
  return defined(Object.fromEntries(names.map((name) => [name, given[name]])))
}

function defined(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value != null))
}

function streamed(body) {
  return typeof body?.getReader === 'function' || typeof body?.[Symbol.asyncIterator] === 'function'
}

function raw(body) {
  const kinds = [Blob, ArrayBuffer, Object.getPrototypeOf(Uint8Array)]
  return typeof body === 'string' || kinds.some((kind) => body instanceof kind) || streamed(body)
}

function newKey() {
  const random = () => Math.random().toString(36).slice(2)
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${random()}${random()}`
}
