// Writes as its one argument says, with InfluxData's client for Node, and prints what it was told as JSON.
import { InfluxDB, Point, HttpError } from '@influxdata/influxdb-client'

const { HOST: url, T: token, ORG: org, COUNT } = process.env
const told = []
let written = 0
const writeApi = new InfluxDB({ url, token }).getWriteApi(org, 'b', 'ns', {
  batchSize: 1000,
  flushInterval: 100,
  gzipThreshold: 100,
  minRetryDelay: 500,
  maxRetryDelay: 2000,
  maxRetries: 20,
  maxRetryTime: 60000,
  writeSuccess: (lines) => {
    written += lines.length
  },
  writeFailed: (error, _lines, attempt) => {
    told.push(error instanceof HttpError ? [error.statusCode, error.body ?? '', attempt] : [0, String(error), attempt])
  },
})
if (process.argv[2] === 'bad') {
  writeApi.writeRecords(['m v=1 1', 'bad', 'm v=2 2'])
} else {
  for (let n = 0; n < Number(COUNT); n++) {
    writeApi.writePoint(new Point('m').tag('t', 'a').floatField('v', n).timestamp(String(n)))
    if (n % 300 === 299) await writeApi.flush().catch(() => undefined)
  }
}
// closing cancels what waits to be sent again
for (let waited = 0; process.argv[2] !== 'bad' && written < Number(COUNT) && waited < 60000; waited += 50) {
  await new Promise((resolve) => setTimeout(resolve, 50))
}
await writeApi.close().catch(() => undefined)
console.log(JSON.stringify(told))
