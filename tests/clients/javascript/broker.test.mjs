// The client against a running broker: HOST, T (its token), QUOTA (another that is soon out of quota).
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Sluice, SluiceError } from '../../../api/client/index.js'

const { HOST: url, T: token, QUOTA } = process.env
const sluice = new Sluice({ url, token })
const refused = (promise) => promise.then(() => assert.fail('it was not refused'), (error) => error)
const less = ({ _id, _time, ...record }) => record

test('a write is stored and queryable when it resolves, a record when it is logged', async () => {
  const at = { workspace: 'js', id: 'quotes' }
  const wrote = await sluice.write({ ...at, data: [{ symbol: 'A', price: 1.5 }, { symbol: 'B', price: 2 }] })
  assert.deepEqual([wrote.ack, wrote.accepted, wrote.inserted], ['stored', 2, 2])
  const found = await sluice.query({ ...at, where: 'price > 1', sort: 'asc' })
  assert.deepEqual(found.map(less), [{ symbol: 'A', price: 1.5 }, { symbol: 'B', price: 2 }])
  const logged = await sluice.record({ ...at, data: { symbol: 'C', price: 3 } })
  assert.equal(logged.ack, 'logged')
  const outcome = await sluice.outcome({ writeId: logged.writeId })
  assert.equal(outcome.writeId, logged.writeId)
  assert.match(outcome.state, /^(logged|stored)$/)
})

test('the same key is the same write, stored once', async () => {
  const given = { workspace: 'js', id: 'once', data: [{ a: 1 }], idempotencyKey: 'a-key-of-mine' }
  const [first, second] = [await sluice.write(given), await sluice.write(given)]
  assert.equal(first.writeId, second.writeId)
  assert.equal((await sluice.query({ workspace: 'js', id: 'once', limit: 10 })).length, 1)
  const other = await refused(sluice.write({ ...given, data: [{ a: 2 }] }))
  assert.deepEqual([other.status, other.code], [409, 'idempotency_conflict'])
})

test('refused records are named, and where all are it rejects', async () => {
  const at = { workspace: 'js', id: 'typed' }
  await sluice.write({ ...at, data: [{ n: 1 }] })
  const some = await sluice.write({ ...at, data: [{ n: 'x' }, { n: 2 }] })
  assert.deepEqual([some.accepted, some.rejected, some.errors[0].path], [1, 1, '/n'])
  const all = await refused(sluice.write({ ...at, data: [{ n: 'x' }] }))
  assert.ok(all instanceof SluiceError)
  assert.deepEqual([all.status, all.code, all.retryAfter, all.errors[0].code], [422, 'all_refused', null, 'wrong_type'])
  assert.match(all.message, /refused/)
})

test('what is only published is streamed and raises alerts, and nothing of it is stored', async () => {
  const workspace = 'jsalerts'
  await sluice.createRule({ workspace, rule: { id: 'hot', on: 'readings', where: 'temp > 30', key: ['station'] } })
  const ends = new AbortController()
  const alerts = sluice.alertStream({ workspace, signal: ends.signal })
  const first = alerts.next()
  const data = [{ station: 'oslo', temp: 31.5 }, { station: 'rome', temp: 12 }]
  await publishUntil(first, { workspace, id: 'readings', data, persist: false })
  const { value } = await first
  assert.deepEqual([value.type, value.data.rule, less(value.data.event)], ['alert', 'hot', data[0]])
  ends.abort()
  assert.equal((await alerts.next()).done, true)

  await sluice.write({ workspace, id: 'readings', data, persist: false })
  const resumed = sluice.alertStream({ workspace, lastEventId: value.id })
  const { value: next } = await resumed.next()
  assert.notEqual(next.id, value.id)
  await resumed.return()
  const listed = await sluice.alerts({ workspace, rule: 'hot', limit: 50 })
  assert.ok(listed.alerts.some((alert) => alert.id === next.data.id))
  const seen = await sluice.acknowledge({ workspace, id: value.data.id, note: 'on it' })
  assert.equal(seen.acknowledged.note, 'on it')
  const gone = await refused(sluice.query({ workspace, id: 'readings' }))
  assert.deepEqual([gone.status, gone.code], [404, 'dataset_not_found'])
})

/** Publishes until a stream that is being opened has told of it. */
async function publishUntil(told, given) {
  let heard = false
  told.finally(() => (heard = true)).catch(() => undefined)
  for (let n = 0; !heard && n < 200; n++) {
    await sluice.write(given)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

test('rules, subscriptions and datasets are made, shown, changed and ended', async () => {
  const workspace = 'jsmade'
  const rule = { id: 'r', on: 'd', where: 'a > 1' }
  assert.equal((await sluice.createRule({ workspace, rule })).version, 1)
  assert.equal((await sluice.pauseRule({ workspace, id: 'r' })).state, 'paused')
  assert.equal((await sluice.resumeRule({ workspace, id: 'r' })).state, 'active')
  assert.equal((await sluice.replaceRule({ workspace, id: 'r', rule: { ...rule, where: 'a > 2' } })).where, 'a > 2')
  const tried = await sluice.testRule({ workspace, id: 'r', events: [{ a: 3 }, { a: 1 }] })
  assert.equal(tried.alerts.length, 1)
  assert.equal((await sluice.testRule({ workspace, rule, events: [{ a: 2 }] })).alerts.length, 1)
  assert.equal(await sluice.deleteRule({ workspace, id: 'r' }), null)
  assert.deepEqual((await sluice.rules({ workspace })).rules, [])

  const subscription = { kind: 'webhook', url: 'https://example.com/hook' }
  const { id, secret } = await sluice.subscribe({ workspace, subscription })
  assert.match(secret, /^whsec_/)
  assert.equal((await sluice.changeSubscription({ workspace, id, changes: { disabled: true } })).disabled, 'by request')
  await sluice.unsubscribe({ workspace, id })
  assert.deepEqual((await sluice.subscriptions({ workspace })).subscriptions, [])

  const { schema } = await sluice.generateSchema({ workspace, data: [{ k: 'x', n: 1 }] })
  await sluice.createDataset({ workspace, dataset: { datasetId: 'd', schema, columnMapping: { key: 'k' } } })
  await sluice.write({ workspace, id: 'd', data: [{ k: 'x', n: 1 }, { k: 'y/z', n: 2 }] })
  await sluice.write({ workspace, id: 'd', data: [{ k: 'x', n: 3 }], duplicateKeyHandling: 'replace' })
  assert.deepEqual((await sluice.query({ workspace, id: 'd', key: 'y/z' })).map(less), [{ k: 'y/z', n: 2 }])
  const asked = { workspace, query: 'SELECT k, n FROM d WHERE n > :least', parameters: { least: 2 } }
  assert.deepEqual(await sluice.sql(asked), { columns: ['k', 'n'], rows: [['x', 3]], truncated: false })
  assert.equal((await sluice.delete({ workspace, id: 'd', key: 'x' })).deleted, 1)
  await sluice.changeDataset({ workspace, id: 'd', changes: { title: 'mine' } })
  assert.equal((await sluice.dataset({ workspace, id: 'd' })).title, 'mine')
  await sluice.write({ workspace, id: 'd', data: [{ k: 'z', n: 4 }] })
  const several = await sluice.query({ workspace, id: 'd', key: ['z', 'nobody'], limit: 5 })
  assert.deepEqual(Object.values(several).flat().map(less), [{ k: 'z', n: 4 }])
  await sluice.renameDataset({ workspace, id: 'd', newId: 'other' })
  assert.equal((await sluice.dataset({ workspace, id: 'other' })).datasetId, 'other')
  await sluice.deleteDataset({ workspace, id: 'other' })
  assert.equal((await refused(sluice.dataset({ workspace, id: 'other' }))).status, 404)
  assert.deepEqual((await sluice.quarantine({ workspace })).records, [])

  const made = await sluice.createToken({ workspace, scopes: ['read'] })
  assert.match(made.token, /^pk_/)
  const reader = new Sluice({ url, token: made.token })
  assert.equal((await refused(reader.write({ workspace, id: 'd', data: [{}] }))).code, 'forbidden')
  assert.equal((await sluice.tokens({ workspace })).tokens.length, 1)
  assert.equal(await sluice.revokeToken({ id: made.id }), null)
  assert.equal((await refused(reader.rules({ workspace }))).code, 'bad_token')
})

test('a file is loaded as a job, from a text, a Blob or a stream, and its bad lines are told', async () => {
  const at = { workspace: 'jsload', id: 'd' }
  const csv = 'a,b\n1,x\n2,y\n'
  for (const data of [csv, new Blob([csv]), new Blob([csv]).stream(), new TextEncoder().encode(csv)]) {
    const done = await sluice.load({ ...at, data, wait: true })
    const job = await sluice.job({ workspace: 'jsload', jobId: done.jobId })
    assert.deepEqual([job.status, job.ingested], ['INGESTED', 2])
  }
  const bad = await sluice.load({ ...at, data: 'a,b\nno,z\n3,z\n', wait: true })
  const invalid = await sluice.invalidRecords({ workspace: 'jsload', jobId: bad.jobId })
  assert.match(String(invalid.error ?? JSON.stringify(invalid)), /validation failed/)
  assert.equal((await sluice.query({ ...at, limit: 100 })).length, 9)
})

test('a write over its quota waits as it is told, and all is stored', async () => {
  const hurried = new Sluice({ url: QUOTA, token, retries: 20 })
  const batch = (n) => Array.from({ length: 100 }, (_, i) => ({ n: n * 100 + i }))
  for (let n = 0; n < 3; n++) await hurried.write({ workspace: 'js', id: 'slow', data: batch(n) })
  const impatient = new Sluice({ url: QUOTA, token, retries: 0 })
  const error = await refused(impatient.write({ workspace: 'js', id: 'slow', data: batch(9) }))
  assert.deepEqual([error.status, error.code, error.retryAfter > 0], [429, 'quota', true])
  const found = await sluiceOf(QUOTA).query({ workspace: 'js', id: 'slow', limit: 1000 })
  assert.equal(new Set(found.map(({ n }) => n)).size, 300)
})

function sluiceOf(url) {
  return new Sluice({ url, token })
}
