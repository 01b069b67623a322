// The client against a server that answers as it is told: what is sent again, when, and what is not.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, beforeEach, test } from 'node:test'

import { Sluice, SluiceError } from '../../../api/client/index.js'

let server, seen, script, sluice

beforeEach(async () => {
  seen = []
  script = []
  server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    seen.push({ url: request.url, method: request.method, headers: request.headers, body: String(Buffer.concat(chunks)), at: Date.now() })
    const answer = script.shift() ?? [200, { success: true }]
    if (answer === 'drop') return request.socket.destroy()
    if (answer === 'silence') return undefined
    const [status, body, headers = {}] = answer
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    return response.end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  sluice = new Sluice({ url: `http://127.0.0.1:${server.address().port}/`, token: 'T', retries: 3 })
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const refusal = (status, code, headers, more) => [status, { status, code, message: code, ...more }, headers]
const write = (given) => sluice.write({ workspace: 'acme', id: 'd', data: [{ a: 1 }], ...given })

test('a write carries its token in a header, its words in the query and a key of its own', async () => {
  await write({ wait: false, event: false, persist: undefined, duplicateKeyHandling: 'merge' })
  await write()
  const [first, second] = seen
  assert.equal(first.url, '/v1/write/acme/d?wait=false&event=false&duplicateKeyHandling=merge')
  assert.equal(first.headers.authorization, 'Bearer T')
  assert.equal(first.headers['content-type'], 'application/json')
  assert.equal(first.body, '[{"a":1}]')
  assert.ok(first.headers['idempotency-key'].length > 20)
  assert.notEqual(first.headers['idempotency-key'], second.headers['idempotency-key'])
})

test('names are escaped in the path, several keys keep the commas between them', async () => {
  await sluice.query({ workspace: 'a/b', id: ['d', 'e'], key: ['x,y', 'z'], limit: 5 })
  assert.equal(seen[0].url, '/v1/data/a%2Fb/d,e/x%2Cy,z?limit=5')
})

for (const [status, code] of [[429, 'quota'], [503, 'overloaded'], [503, 'outcome_unknown']]) {
  test(`${status} ${code} is sent again as late as it was told, under the same key`, async () => {
    script.push(refusal(status, code, { 'retry-after': '1' }))
    assert.deepEqual(await write(), { success: true })
    assert.equal(seen.length, 2)
    assert.ok(seen[1].at - seen[0].at >= 990, `it came again after ${seen[1].at - seen[0].at} ms`)
    assert.equal(seen[0].headers['idempotency-key'], seen[1].headers['idempotency-key'])
    assert.equal(seen[0].body, seen[1].body)
  })
}

test('it gives up after so many tries, and says what it was told', async () => {
  for (let n = 0; n < 9; n++) script.push(refusal(503, 'backlog', { 'retry-after': '0' }))
  const error = await write().catch((error) => error)
  assert.ok(error instanceof SluiceError)
  assert.deepEqual(
    { status: error.status, code: error.code, message: error.message, retryAfter: error.retryAfter },
    { status: 503, code: 'backlog', message: 'backlog', retryAfter: 0 },
  )
  assert.equal(seen.length, 4)
})

test('it does not wait longer than it may, and says how long it would have had to', async () => {
  script.push(refusal(429, 'quota', { 'retry-after': '3600' }))
  const error = await write().catch((error) => error)
  assert.deepEqual([error.status, error.retryAfter, seen.length], [429, 3600, 1])
})

test('Retry-After as a date is understood', async () => {
  script.push(refusal(503, 'overloaded', { 'retry-after': new Date(Date.now() + 2000).toUTCString() }))
  await write()
  assert.ok(seen[1].at - seen[0].at >= 900)
})

test('a write whose answer was lost is sent again under its key', async () => {
  script.push('drop')
  assert.deepEqual(await write(), { success: true })
  assert.equal(new Set(seen.map((one) => one.headers['idempotency-key'])).size, 1)
  assert.equal(seen.length, 2)
})

test('a write without a key is not sent again where nobody knows whether it was logged', async () => {
  script.push('drop')
  const lost = await write({ idempotencyKey: null }).catch((error) => error)
  assert.deepEqual([lost.status, lost.code, lost.retryAfter], [0, 'network', null])
  script.push(refusal(503, 'outcome_unknown', { 'retry-after': '0' }, { writeId: 'w1' }))
  const unknown = await write({ idempotencyKey: null }).catch((error) => error)
  assert.deepEqual([unknown.code, unknown.writeId], ['outcome_unknown', 'w1'])
  assert.equal(seen.length, 2)
  assert.equal(seen[0].headers['idempotency-key'], undefined)
})

test('a rule is not made twice: what is kept or may be is not sent again', async () => {
  const create = () => sluice.createRule({ workspace: 'acme', rule: { id: 'r' } }).catch((error) => error.code)
  script.push(refusal(503, 'pending', { 'retry-after': '0' }), 'drop')
  assert.deepEqual([await create(), await create(), seen.length], ['pending', 'network', 2])
})

for (const status of [400, 401, 403, 404, 409, 413, 422, 500, 504]) {
  test(`${status} is not sent again`, async () => {
    script.push(refusal(status, 'no', {}, { errors: [{ index: 0 }], writeId: 'w' }))
    const error = await write().catch((error) => error)
    assert.deepEqual([error.status, error.code, error.errors, error.writeId], [status, 'no', [{ index: 0 }], 'w'])
    assert.equal(seen.length, 1)
  })
}

test('a proxy that answers with a page of its own is understood too', async () => {
  script.push([502, 'no JSON', { 'content-type': 'text/html' }])
  const error = await write().catch((error) => error)
  assert.deepEqual([error.status, error.code, error.body], [502, 'http_502', null])
})

test('a broker that says nothing is left after the time it has, and asked again', async () => {
  const quick = new Sluice({ url: `http://127.0.0.1:${server.address().port}`, requestTimeout: 100, retries: 0 })
  script.push('silence')
  const error = await quick.request('GET', '/v1/rules/acme', { waits: -5 }).catch((error) => error)
  assert.deepEqual([error.status, error.code], [0, 'timeout'])
})

test('a signal ends a call, also while it waits to send again, with its own reason', async () => {
  script.push(refusal(503, 'overloaded', { 'retry-after': '30' }))
  const controller = new AbortController()
  const ended = write({ signal: controller.signal }).catch((error) => error)
  while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  controller.abort(new Error('enough'))
  assert.equal((await ended).message, 'enough')
  assert.equal((await write({ signal: controller.signal }).catch((error) => error)).message, 'enough')
  assert.equal(seen.length, 1)
})

test('a stream of bytes is sent once only, for it is gone then', async () => {
  script.push(refusal(503, 'overloaded', { 'retry-after': '0' }))
  const data = new Blob(['a\n1\n']).stream()
  const error = await sluice.load({ workspace: 'acme', id: 'd', data }).catch((error) => error)
  assert.deepEqual([error.code, seen.length, seen[0].body], ['overloaded', 1, 'a\n1\n'])
  assert.equal(seen[0].headers['content-type'], 'application/octet-stream')
})

test('what is missing is said before anything is sent', async () => {
  await assert.rejects(() => sluice.write({ workspace: 'acme', id: 'd' }), /'data' is missing/)
  await assert.rejects(() => sluice.write({ workspace: 'acme', data: [] }), /'id' is missing/)
  assert.equal(seen.length, 0)
})
