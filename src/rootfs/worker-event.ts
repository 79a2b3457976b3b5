import type {ErrorCode} from '../errors.js'

/** An answer of the worker, one JSON object a line: any number of progress events, then one of the others. */
export type WorkerEvent =
  | {readonly event: 'progress'; readonly entries: number; readonly bytes: number}
  | {readonly event: 'result'; readonly value: unknown}
  | {
      readonly event: 'error'
      /** Left out for a bug. */
      readonly code?: ErrorCode
      readonly exitCode: number
      readonly message: string
      readonly suggestions: readonly string[]
    }
