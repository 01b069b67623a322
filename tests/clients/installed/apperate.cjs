// Does with the vendor's own client what its one argument says, and prints what it was told as JSON.
const { Client, overrideUrl } = require('@apperate/iexjs')

const { HOST, T } = process.env
overrideUrl({ url: `${HOST}/v1/` })
const client = new Client({ api_token: T, version: 'v1' })
const { apperate } = client
const at = { workspace: 'js', id: 'news' }
const refused = (promise) => promise.then(() => 'it was not refused', (error) => error.message ?? String(error))
const dataset = {
  datasetId: 'cars',
  mode: 'evolve',
  schema: { type: 'object', properties: { make: { type: 'string' }, price: { type: 'number' } }, required: ['make'] },
  columnMapping: { key: 'make' },
}
const cars = { workspace: 'js', id: 'cars' }

const deeds = {
  async writes() {
    const told = []
    for (const options of [{ wait: true }, { wait: false }, { persist: false }, { event: false, wait: true }]) {
      told.push(await apperate.write({ ...at, data: [{ ticker: 'GM', date: '2022-07-15' }], ...options }))
    }
    return told
  },
  async keys() {
    await apperate.registerDataset({ workspace: 'js', data: JSON.stringify({ dataset }) })
    const put = (data, more) => apperate.write({ ...cars, data, wait: true, ...more })
    await put([{ make: 'GM', price: 1 }, { make: 'F', price: 2 }])
    const ignored = await put([{ make: 'GM', price: 3 }])
    const replaced = await put([{ make: 'F', price: 4 }], { duplicateKeyHandling: 'replace' })
    const found = await apperate.queryData({ ...cars, key: 'F' })
    const all = await apperate.queryData({ ...cars, last: 5, includeSystemRecordProperties: true })
    const deleted = await apperate.deleteData({ ...cars, key: 'GM' })
    const shown = await apperate.getDataset(cars)
    await apperate.patchDataset({ ...cars, data: JSON.stringify({ title: 'Cars' }) })
    const listed = await apperate.listDatasets({ workspace: 'js' })
    return { ignored, replaced, found, all: all.length, deleted, shown, listed }
  },
  async loads() {
    const options = { contentType: 'text/csv', wait: true }
    const done = await apperate.loadData({ ...at, ...options, id: 'loaded', data: 'a,b\n1,x\n2,y\n' })
    const job = await apperate.getDataJob({ workspace: 'js', type: 'ingest', id: done.jobId })
    const jobs = await apperate.queryDataJobs({ workspace: 'js', type: 'ingest' })
    return { done, job, jobs }
  },
  async refusals() {
    const nobody = new Client({ api_token: 'sk_nobody', version: 'v1' })
    return {
      token: await refused(nobody.apperate.write({ ...at, data: [{ a: 1 }] })),
      records: await refused(apperate.write({ ...at, data: [1], wait: true })),
      dataset: await refused(apperate.queryData({ workspace: 'js', id: 'nothing' })),
    }
  },
  async rules() {
    const [{ id }] = await client.rules()
    const shown = await client.rule(id)
    const output = await client.output(id)
    const schema = await client.schema()
    const lookup = await client.lookup('ruleSet', {})
    const deleted = await client.delete(id)
    return { id, shown, output, schema, lookup, deleted, left: await client.rules() }
  },
}

deeds[process.argv[2]]().then(
  (told) => console.log(JSON.stringify(told)),
  (error) => {
    console.error(error)
    process.exitCode = 1
  },
)
