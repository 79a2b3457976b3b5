import type {ErrorCode} from '../errors.js'
import {asText, fieldsOf} from './worker-fields.js'

/** An answer of the worker, one JSON object a line: any number of progress events, then one of the others. */
export type WorkerEvent =
  | {readonly event: 'progress'; readonly entries: number; readonly bytes: number}
  | {readonly event: 'result'; readonly value: unknown}
  | {
      readonly event: 'error'
      /** Undefined for a bug. */
      readonly code: ErrorCode | undefined
      readonly exitCode: number
      readonly message: string
      readonly suggestions: readonly string[]
    }

/** @throws {Error} */
export function parseEvent(line: string): WorkerEvent {
  const fields = fieldsOf(JSON.parse(line))
  const event = fields.text('event')
  switch (event) {
    case 'progress':
      return {event, entries: fields.number('entries'), bytes: fields.number('bytes')}
    case 'result':
      return {event, value: fields.value('value')}
    case 'error': {
      const code = fields.has('code') ? fields.text('code') : undefined
      return {
        event,
        code: isErrorCode(code) ? code : undefined,
        exitCode: fields.number('exitCode'),
        message: fields.text('message'),
        suggestions: fields.list('suggestions').map(asText),
      }
    }
    default:
      throw new Error(`the rootfs worker sent an unknown event ${event}`)
  }
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code?.startsWith('ENVS_') ?? false
}
