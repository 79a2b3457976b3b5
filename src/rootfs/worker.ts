import {writeSync} from 'node:fs'
import {EnvsError, ExitCode} from '../errors.js'
import {isErrno} from '../host/errno.js'
import {openUmask} from '../host/umask.js'
import type {WorkerEvent} from './worker-event.js'
import {parseRequest, type WorkerRequest} from './worker-request.js'

/*
 * A program of its own, for three reasons: system calls are several times faster when they block, blocking
 * must not hold up the command's Ctrl-C and progress, and in a user namespace only a new process can run.
 */

const PROGRESS_INTERVAL_MS = 100
const STDOUT = 1

// Ctrl-C reaches every process of the terminal; the command decides what becomes of it.
process.on('SIGINT', () => {})
openUmask()
void answer().then((status) => process.exit(status))

async function answer(): Promise<number> {
  try {
    const value = await perform(parseRequest(process.argv[2], process.argv[3]))
    emit({event: 'result', value})
    return ExitCode.ok
  } catch (error) {
    const report = describe(error)
    emit(report)
    return report.exitCode
  }
}

/** Loads what the verb needs and no more: modules take milliseconds, and this program starts twice a create. */
async function perform(request: WorkerRequest): Promise<unknown> {
  const onProgress = throttled()
  switch (request.verb) {
    case 'extract': {
      const {extract} = await import('./worker-verbs/extract.js')
      return extract(request, {onProgress, descriptors: process.argv.slice(4)})
    }
    case 'fix':
      return (await import('./worker-verbs/fix.js')).fix(request)
    case 'settle':
      return (await import('./worker-verbs/settle.js')).settle(request)
    case 'restore-owners':
    case 'record-owners':
      return (await import('./worker-verbs/make-ledger.js')).makeLedger(request)
    case 'export':
      return (await import('./worker-verbs/export.js')).exportArchive(request, onProgress)
    case 'unpack':
      return (await import('./worker-verbs/unpack.js')).unpack(request, onProgress)
    case 'pack':
      return (await import('./worker-verbs/pack.js')).pack(request, onProgress)
    case 'compare':
      return (await import('./worker-verbs/compare.js')).compare(request)
    case 'remove': {
      const {removeEntries} = await import('./remove.js')
      return removeEntries(request.path, (removed) => onProgress({entries: removed, bytes: 0}))
    }
    case 'measure':
      return request.paths.map((await import('./measure.js')).measureTree)
  }
}

function throttled(): (progress: {entries: number; bytes: number}) => void {
  let next = 0
  return (progress) => {
    const now = performance.now()
    if (now < next) return
    next = now + PROGRESS_INTERVAL_MS
    emit({event: 'progress', ...progress})
  }
}

function describe(error: unknown): Extract<WorkerEvent, {event: 'error'}> {
  if (error instanceof EnvsError) {
    const {code, exitCode, message, suggestions} = error
    return {event: 'error', code, exitCode, message, suggestions}
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {event: 'error', code: undefined, exitCode: ExitCode.bug, message, suggestions: []}
}

/** Written at once, so that a busy loop can report too, and learns that nobody listens any more. */
function emit(event: WorkerEvent): void {
  try {
    writeSync(STDOUT, `${JSON.stringify(event)}\n`)
  } catch (error) {
    if (isErrno(error, 'EPIPE')) process.exit(ExitCode.bug)
    throw error
  }
}
