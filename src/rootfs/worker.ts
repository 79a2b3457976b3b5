import {writeSync} from 'node:fs'
import {EnvsError, ExitCode, errnoOf} from '../errors.js'
import {openUmask} from '../host/umask.js'
import type {WorkerEvent} from './worker-event.js'
import {parseRequest, type WorkerRequest} from './worker-request.js'

/**
 * The worker is a separate program for three reasons: blocking system calls are several times faster,
 * blocking must not delay the command's Ctrl-C and progress, and only a new process can run in a user
 * namespace.
 */

const PROGRESS_INTERVAL_MS = 100
const STDOUT = 1

// Ctrl-C reaches every process of the terminal; the command decides what to do with the worker.
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

/**
 * Loads only the modules that the verb needs: loading takes milliseconds, and each create starts this program
 * twice.
 */
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

/** Writes at once, so that a busy loop can report too, and notices a closed reader. */
function emit(event: WorkerEvent): void {
  try {
    writeSync(STDOUT, `${JSON.stringify(event)}\n`)
  } catch (error) {
    if (errnoOf(error) === 'EPIPE') process.exit(ExitCode.bug)
    throw error
  }
}
