/** A record as it is written and read: its fields by name, `_id` (and `_time`) beside them where it is read. */
export type Fields = Record<string, unknown>

export interface Settings {
  /** Where the broker serves; `http://127.0.0.1:8080` unless given. */
  url?: string
  /** Sent as `Authorization: Bearer …`. */
  token?: string
  /** Milliseconds that one try may take; 30,000 unless given. */
  requestTimeout?: number
  /** How often a request is sent again at most; 5 unless given. */
  retries?: number
  /** Milliseconds within which it is sent again; 60,000 unless given. */
  retryFor?: number
  /** What is called in place of the global `fetch`. */
  fetch?: typeof globalThis.fetch
}

/** What every call takes besides its own: how patient it is, and what ends it. */
export interface Call {
  requestTimeout?: number
  retries?: number
  retryFor?: number
  signal?: AbortSignal
}

export interface InWorkspace extends Call {
  workspace: string
}

export interface Named extends InWorkspace {
  id: string
}

export interface Keyed {
  /** The same key is the same write, done once; a new one each call unless given, none where it is null. */
  idempotencyKey?: string | null
}

export type Handling = 'ignore' | 'replace' | 'merge'

export interface Write extends Named, Keyed {
  data: Fields | Fields[] | string
  /** Resolve once it is stored and queryable: true for `write`, false for `record`, unless given. */
  wait?: boolean
  /** Publish it to the rules; true unless given. */
  event?: boolean
  /** Store it; true unless given. */
  persist?: boolean
  duplicateKeyHandling?: Handling
  createDatasetOnDemand?: boolean
  atomic?: boolean
  /** Seconds the broker waits until it is stored (0.1 to 60; 10 unless given). */
  timeout?: number
  contentType?: string
}

export interface Refusal {
  index: number
  path: string
  code: string
  message: string
  retriable: boolean
}

export interface Written {
  success: true
  message: string
  writeId: string
  ack: 'logged' | 'stored' | 'published'
  accepted: number
  rejected: number
  inserted?: number
  replaced?: number
  ignored?: number
  /** The first 100 records that were refused; the others are written. */
  errors?: Refusal[]
}

export interface Load extends Named, Keyed {
  data: Fields[] | string | Blob | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>
  wait?: boolean
  event?: boolean
  duplicateKeyHandling?: Handling
  overwrite?: boolean
  maximumValidationErrors?: number
  /** Seconds the broker waits for the job's end where `wait` is true; 60 unless given. */
  timeout?: number
  contentType?: string
}

export interface Loaded {
  success: true
  message: string
  jobId: string
  jobUrl: string
}

export interface JobOf extends InWorkspace {
  jobId: string
}

export interface Range {
  from?: string | number
  to?: string | number
  on?: string | number
  range?: string
  /** A condition, such as `price > 10`. */
  where?: string
}

export interface Place extends InWorkspace {
  id: string | string[]
  /** A value of the dataset's key, or several. */
  key?: string | number | (string | number)[]
  subkey?: string | number
}

export interface Query extends Place, Range {
  last?: number
  first?: number
  limit?: number
  offset?: number
  sort?: string
  /** The columns wanted, with commas between them. */
  filter?: string
  format?: 'json' | 'ndjson' | 'csv'
}

export interface Delete extends Place, Range, Keyed {
  timeout?: number
}

export interface Rule {
  id?: string
  on: string
  where: string
  key?: string[]
  mode?: string
  cooldown?: string | null
  severity?: string
  notify?: string[] | null
  message?: string | null
  title?: string
  [more: string]: unknown
}

export interface KeptRule extends Rule {
  id: string
  state: 'active' | 'paused'
  version: number
  createdAt: string
  updatedAt: string
  warnings?: string[]
}

export interface Alert {
  id: string
  rule: string
  ruleVersion: number
  workspace: string
  dataset: string
  key: Fields
  state: 'firing' | 'resolved'
  severity: 'info' | 'warning' | 'error' | 'critical'
  message: string
  at: string
  resolvedAt?: string
  event: Fields
  position: string
  acknowledged: null | { by: string; at: string; note: string }
}

export interface Told<T> {
  /** The notification's id: what `lastEventId` resumes behind. */
  id?: string
  type?: string
  data: T
}

export interface Happened {
  workspace: string
  dataset: string
  record: Fields
}

export interface NewToken extends InWorkspace {
  dataset?: string
  scopes: ('read' | 'write' | 'rules' | 'admin')[]
  title?: string
  expires?: string
}

export interface Request extends Call {
  query?: Record<string, unknown>
  /** Sent as JSON, unless it is a text, bytes, a Blob or a stream. */
  body?: unknown
  contentType?: string
  accept?: string
  idempotencyKey?: string
  /** It may be sent again though nobody knows whether it was done; GET, PUT and DELETE may unless told. */
  safe?: boolean
}

/** Why a call was rejected. `status` is 0 where no answer came; `code` is then `network` or `timeout`. */
export class SluiceError extends Error {
  readonly name: 'SluiceError'
  readonly status: number
  /** Stable: `/docs/errors` of the broker lists them all. */
  readonly code: string
  /** Seconds after which it may be tried again, where the broker said so. */
  readonly retryAfter: number | null
  /** The write that is logged, or may be. */
  readonly writeId: string | null
  readonly errors: Refusal[]
  readonly body: Record<string, any> | null
}

/** A broker, and the token to call it with. Every call rejects with a `SluiceError`. */
export class Sluice {
  constructor(settings?: Settings)

  /** Writes records and resolves once they are stored and queryable, unless `wait` is false. */
  write(given: Write): Promise<Written>
  /** Writes records and resolves once they are logged, unless `wait` is true. */
  record(given: Write): Promise<Written>
  /** Loads any amount of data as a job: records, or a text, bytes, Blob or stream of JSON, JSON lines or CSV. */
  load(given: Load): Promise<Loaded>
  /** What became of a write. */
  outcome(given: Call & { writeId: string }): Promise<Record<string, any>>

  /** The records asked for; of several datasets or keys by dataset; with `format` ndjson or csv their text. */
  query(given: Query & { format: 'ndjson' | 'csv' }): Promise<string | null>
  query(given: Query & ({ id: string[] } | { key: (string | number)[] })): Promise<Record<string, Fields[]>>
  query(given: Query & { format?: 'json' }): Promise<Fields[]>
  /** One SELECT over the datasets of a workspace; `:name` in it stands for a parameter. */
  sql(
    given: InWorkspace & { query: string; parameters?: Record<string, string | number | boolean | null> },
  ): Promise<{ columns: string[]; rows: unknown[][]; truncated: boolean }>
  /**
   * Deletes what was written before: of a key, in a range, or where a condition holds. Answers `datasets` instead
   * of `writeId` where several datasets were named.
   */
  delete(given: Delete): Promise<{
    success: true
    deleted: number
    writeId?: string
    datasets?: Record<string, { deleted: number; writeId: string }>
  }>

  jobs(given: InWorkspace): Promise<Record<string, any>>
  job(given: JobOf): Promise<Record<string, any>>
  cancelJob(given: JobOf): Promise<Record<string, any> | null>
  retryJob(given: JobOf): Promise<Record<string, any>>
  /** Every record that a job refused, and why. */
  invalidRecords(given: JobOf): Promise<any>

  createDataset(given: InWorkspace & { dataset: Fields }): Promise<{ success: true; message: string; datasetId: string }>
  datasets(given: InWorkspace): Promise<any>
  dataset(given: Named): Promise<Record<string, any>>
  changeDataset(given: Named & { changes: Fields }): Promise<Record<string, any>>
  /** Gives a dataset another name; its records, rules and tokens go along. */
  renameDataset(given: Named & { newId: string }): Promise<Record<string, any>>
  deleteDataset(given: Named): Promise<Record<string, any> | null>
  /** The schema that records would get. Nothing is made. */
  generateSchema(given: InWorkspace & { data: Fields | Fields[] }): Promise<{ schema: Fields; keyCandidates: unknown[] }>

  createRule(given: InWorkspace & { rule: Rule }): Promise<KeptRule>
  rules(given: InWorkspace): Promise<{ rules: KeptRule[] }>
  rule(given: Named): Promise<KeptRule>
  replaceRule(given: Named & { rule: Rule }): Promise<KeptRule>
  deleteRule(given: Named): Promise<null>
  pauseRule(given: Named): Promise<KeptRule>
  resumeRule(given: Named): Promise<KeptRule>
  /** The alerts that a rule, kept (`id`) or given (`rule`), would raise on events. Nothing is kept. */
  testRule(
    given: InWorkspace & { events: Fields[] } & ({ id: string } | { rule: Rule }),
  ): Promise<{ alerts: Alert[]; errors: { index: number; message: string }[] }>

  alerts(
    given: InWorkspace & { rule?: string; state?: string; from?: string; to?: string; limit?: number; after?: string },
  ): Promise<{ alerts: Alert[]; next: string | null }>
  acknowledge(given: Named & { note?: string }): Promise<Alert>

  subscribe(given: InWorkspace & { subscription: Fields }): Promise<Record<string, any> & { id: string; secret?: string }>
  subscriptions(given: InWorkspace): Promise<{ subscriptions: Record<string, any>[] }>
  changeSubscription(given: Named & { changes: Fields }): Promise<Record<string, any>>
  unsubscribe(given: Named): Promise<null>

  /** What was accepted and could not be stored, of a workspace or a dataset (`id`). */
  quarantine(given: InWorkspace & { id?: string; limit?: number; after?: string }): Promise<Record<string, any>>
  /** Tries it again: one record by its id there, or all of a dataset. */
  redrive(given: Named): Promise<Record<string, any>>

  /** The token itself is shown this once. */
  createToken(given: NewToken): Promise<{ id: string; token: string }>
  tokens(given?: Call & { workspace?: string }): Promise<{ tokens: Record<string, any>[] }>
  revokeToken(given: Call & { id: string }): Promise<null>

  /** Each change of an alert, none missed, until `signal` ends it or the broker refuses the token. */
  alertStream(given: { workspace: string; lastEventId?: string; signal?: AbortSignal }): AsyncGenerator<Told<Alert>, void>
  /** Each record as it happens, of one dataset (`id`) or all; what comes while it connects again is missed. */
  eventStream(given: { workspace: string; id?: string; signal?: AbortSignal }): AsyncGenerator<Told<Happened>, void>

  /** Sends any request of the HTTP interface. Resolves with the answer's JSON, its text, or null. */
  request(method: string, path: string, options?: Request): Promise<any>
}
