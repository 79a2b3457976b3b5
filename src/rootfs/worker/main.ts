import {writeSync} from 'node:fs'
import {EnvsError, ExitCode} from '../../errors.js'
import {isErrno} from '../../host/errno.js'
import {openUmask} from '../../host/files.js'
import {explainRefusal, WorkerFailure} from '../errors.js'
import {BUILD_ID} from './build-id.js'
import type {WorkerEvent, WorkerRequests, WorkerResults, WorkerVerb} from './protocol.js'

/**
 * The worker is a separate program for three reasons: blocking system calls are several times faster,
 * blocking must not delay the command's Ctrl-C and progress, and only a new process can run in a user
 * namespace.
 */

const PROGRESS_INTERVAL_MS = 100
const STDOUT = 1

async function answer(): Promise<number> {
  try {
    const [verb = '', request = '', build, ...descriptors] = process.argv.slice(2)
    if (build !== BUILD_ID) throw otherBuild()
    emit({event: 'started'})
    if (!isVerb(verb)) throw new Error(`the rootfs worker has no verb ${verb}`)
    emit({event: 'result', value: await perform(verb, JSON.parse(request), descriptors)})
    return ExitCode.ok
  } catch (error) {
    const report = describe(error)
    emit(report)
    return report.exitCode
  }
}

/** Another build was installed after the command had started: its requests are not those of this worker. */
function otherBuild(): WorkerFailure {
  return new WorkerFailure('envs was replaced by another build while this command ran.', {
    code: 'ENVS_WORKER_DIED',
    exitCode: ExitCode.host,
    suggestions: ['Run the command again.'],
  })
}

type Progress = (progress: {entries: number; bytes: number}) => void

/** Each loads what it needs and no more: modules take milliseconds, and this program starts twice a create. */
const VERBS: {
  readonly [Verb in WorkerVerb]: (
    request: WorkerRequests[Verb],
    onProgress: Progress,
    descriptors: readonly string[],
  ) => Promise<WorkerResults[Verb]>
} = {
  extract: async (request, onProgress, descriptors) =>
    (await import('./verbs.js')).extract(request, {onProgress, descriptors}),
  'extract-layer': async (request, onProgress) =>
    (await import('./layer-verbs.js')).extractOne(request, onProgress),
  'merge-layers': async (request) => (await import('./layer-verbs.js')).merge(request),
  fix: async (request) => (await import('./verbs.js')).fix(request),
  settle: async (request) => (await import('./verbs.js')).settle(request),
  'restore-owners': async (request) => (await import('./verbs.js')).ledgerOfRestored(request),
  'record-owners': async (request) => (await import('./verbs.js')).ledgerOfOwners(request),
  export: async (request, onProgress) => (await import('./verbs.js')).exportArchive(request, onProgress),
  unpack: async (request, onProgress) => (await import('./verbs.js')).unpack(request, onProgress),
  pack: async (request, onProgress) => (await import('./verbs.js')).pack(request, onProgress),
  'pack-layer': async (request, onProgress) =>
    (await import('../layer/pack-verb.js')).packLayerVerb(request, onProgress),
  compare: async (request) => (await import('./verbs.js')).compare(request),
  remove: async ({path}, onProgress) =>
    (await import('../remove.js')).removeEntries(path, (removed) => onProgress({entries: removed, bytes: 0})),
  measure: async ({paths, isOnce}) => {
    const {measureTree} = await import('../measure.js')
    const linked = new Set<string>()
    return paths.map((path) => measureTree(path, isOnce ? linked : new Set()))
  },
}

function isVerb(text: string): text is WorkerVerb {
  return Object.hasOwn(VERBS, text)
}

function perform<Verb extends WorkerVerb>(
  verb: Verb,
  request: WorkerRequests[Verb],
  descriptors: readonly string[],
): Promise<WorkerResults[Verb]> {
  return VERBS[verb](request, throttled(), descriptors)
}

function throttled(): Progress {
  let next = 0
  return (progress) => {
    const now = performance.now()
    if (now < next) return
    next = now + PROGRESS_INTERVAL_MS
    emit({event: 'progress', ...progress})
  }
}

function describe(thrown: unknown): Extract<WorkerEvent, {event: 'error'}> {
  const error = explainRefusal(thrown)
  if (error instanceof EnvsError) {
    const {code, exitCode, message, suggestions} = error
    return {event: 'error', code, exitCode, message, suggestions}
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return {event: 'error', exitCode: ExitCode.bug, message, suggestions: []}
}

/** Writes at once, so that a busy loop can report too, and notices a closed reader. */
function emit(event: WorkerEvent): void {
  try {
    writeSync(STDOUT, `${JSON.stringify(event)}\n`)
  } catch (error) {
    if (isErrno(error, 'EPIPE')) process.exit(ExitCode.bug)
    throw error
  }
}

// Ctrl-C reaches every process of the terminal; the command decides what to do with the worker.
process.on('SIGINT', () => {})
openUmask()
void answer().then((status) => process.exit(status))
