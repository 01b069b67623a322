// The client's reading of server-sent events: however they are cut, and however often the connection ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { afterEach, beforeEach, test } from 'node:test'

import { Sluice } from '../../../api/client/index.js'

let server, asked, answers, sluice

beforeEach(async () => {
  asked = []
  answers = []
  server = createServer((request, response) => {
    asked.push(request.headers['last-event-id'])
    const [status, body] = answers.shift() ?? [401, '{"code":"bad_token"}']
    response.writeHead(status, { 'content-type': status === 200 ? 'text/event-stream' : 'application/json' })
    if (typeof body === 'function') body(response)
    else response.end(body)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  sluice = new Sluice({ url: `http://127.0.0.1:${server.address().port}` })
})

afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function all(stream) {
  const read = []
  const error = await (async () => {
    for await (const event of stream) read.push(event)
  })().catch((error) => error)
  return { read, error }
}

test('it connects again behind the last event, until the token is refused', async () => {
  const alert = (n) => `event: alert\nid: n${n}\ndata: {"n":${n}}\n\n`
  answers.push([200, `: here\nid: 0.7\n\n`], [200, `: here\n\n${alert(1)}${alert(2)}`], [503, '{"code":"overloaded"}'])
  const { read, error } = await all(sluice.alertStream({ workspace: 'acme' }))
  assert.deepEqual(read, [1, 2].map((n) => ({ id: `n${n}`, type: 'alert', data: { n } })))
  assert.equal(error.code, 'bad_token')
  assert.deepEqual(asked, [undefined, '0.7', 'n2', 'n2'])
})

test('events are read however the bytes are cut', async () => {
  const text = ': c\r\n\r\nevent: alert\r\nid: é1\r\ndata: {"a":\r\ndata: "x: \u2028 €"}\r\n\r\nid:2\ndata:{}\n\n'
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 3, 7, bytes.length]) {
    answers.push([200, async (response) => {
      for (let at = 0; at < bytes.length; at += size) {
        response.write(bytes.subarray(at, at + size))
        await new Promise((resolve) => setImmediate(resolve))
      }
      response.end()
    }])
    const { read } = await all(sluice.alertStream({ workspace: 'acme' }))
    assert.deepEqual(read, [
      { id: 'é1', type: 'alert', data: { a: 'x: \u2028 €' } },
      { id: '2', data: {} },
    ])
  }
})

test('a reader that leaves, or a signal, ends the connection', async () => {
  for (const leave of ['break', 'signal']) {
    let closed
    answers.push([200, (response) => {
      closed = once(response, 'close')
      response.write('id: 1\ndata: {}\n\nid: 2\ndata: {}\n\n')
    }])
    const controller = new AbortController()
    for await (const event of sluice.alertStream({ workspace: 'acme', signal: controller.signal })) {
      assert.equal(event.id, '1') // and the second one, which is there already, is not told any more
      if (leave === 'break') break
      controller.abort()
    }
    await closed
  }
})
