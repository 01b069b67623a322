// Never run: what the types of the client allow, and what they refuse.
import { Sluice, SluiceError, type Alert, type Told, type Written } from '../../../api/client/index.js'

const sluice = new Sluice({ url: 'http://localhost:8080', token: 'T', retries: 2 })

export async function allowed(): Promise<Alert[]> {
  const wrote: Written = await sluice.write({ workspace: 'w', id: 'd', data: [{ a: 1 }], wait: false, persist: true })
  const code: string | undefined = wrote.errors?.[0]?.code
  await sluice.load({ workspace: 'w', id: 'd', data: new Blob([code ?? '']), timeout: 60 })
  const records = await sluice.query({ workspace: 'w', id: 'd', key: 'a', limit: 2 })
  records.map((record) => record['_id'])
  const several = await sluice.query({ workspace: 'w', id: ['d', 'e'], key: ['a', 'b'] })
  several['d']?.map((record) => record['_id'])
  const csv: string | null = await sluice.query({ workspace: 'w', id: 'd', format: 'csv' })
  await sluice.createRule({ workspace: 'w', rule: { on: 'd', where: csv ?? 'a > 1' } })
  await sluice.testRule({ workspace: 'w', id: 'r', events: [{ a: 1 }] })
  const told: Told<Alert>[] = []
  for await (const one of sluice.alertStream({ workspace: 'w', signal: AbortSignal.timeout(10) })) told.push(one)
  return told.map(({ data }) => data)
}

export function refused(error: unknown): number | null {
  // @ts-expect-error the workspace is missing
  void sluice.write({ id: 'd', data: [] })
  // @ts-expect-error no such handling
  void sluice.write({ workspace: 'w', id: 'd', data: [], duplicateKeyHandling: 'drop' })
  // @ts-expect-error neither a rule nor its id
  void sluice.testRule({ workspace: 'w', events: [] })
  return error instanceof SluiceError ? error.retryAfter : null
}
