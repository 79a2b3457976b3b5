import {writeSync} from 'node:fs'
import {EnvsError, ExitCode, errnoOf} from '../errors.js'
import {openHost} from '../host/host.js'
import {openUmask} from '../host/umask.js'
import {openArchiveInput} from './compression/archive-input.js'
import {explainErrno} from './errors.js'
import {extractTree} from './extract.js'
import {fixTree} from './fixes/apply.js'
import {openTreeView} from './fixes/tree-view.js'
import {readLedger, writeLedger} from './ledger/file.js'
import {recordOwners} from './ledger/record-owners.js'
import {restoreOwners} from './ledger/restore.js'
import {measureTree} from './measure.js'
import {removeEntries} from './remove.js'
import {openCapabilitySetter} from './tree/file-capability.js'
import {openOwners} from './tree/owners.js'
import {noteTree} from './tree-notes.js'
import {type LedgerRequest, parseRequest, type WorkerEvent, type WorkerRequest} from './worker-protocol.js'

/*
 * A program of its own, for three reasons: system calls are several times faster when they block, blocking
 * must not hold up the command's Ctrl-C and progress, and in a user namespace only a new process can run.
 */

const PROGRESS_INTERVAL_MS = 100
const STDIN = 0
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

async function perform(request: WorkerRequest): Promise<unknown> {
  const onProgress = throttled()
  switch (request.verb) {
    case 'extract': {
      const {root, owners, ledger} = request
      const {which, architecture} = openHost()
      const input = await openArchiveInput(STDIN)
      const options = {owners, which, architecture, onProgress, ...(ledger === undefined ? {} : {ledger})}
      return extractTree(input, root, options)
    }
    case 'fix': {
      const {root, facts, only} = request
      const changed = fixTree(root, facts, only)
      return {changed, notes: noteTree(openTreeView(root), facts)}
    }
    case 'restore-owners':
    case 'record-owners':
      return makeLedger(request)
    case 'remove':
      return removeEntries(request.path, (removed) => onProgress({entries: removed, bytes: 0}))
    case 'measure':
      return request.paths.map(measureTree)
  }
}

/** For a copy of a tree; which of the two trees it looks at is in the verb. */
function makeLedger({verb, root, from, to}: LedgerRequest): unknown {
  try {
    const former = readLedger(from)
    if (verb === 'record-owners') {
      const ledger = recordOwners(root, former)
      writeLedger(to, ledger)
      return ledger.counts()
    }
    const setCapability = openCapabilitySetter('keep', openHost())
    const {report, ledger} = restoreOwners(root, former, {owners: openOwners('keep'), setCapability})
    writeLedger(to, ledger)
    return report
  } catch (error) {
    throw explainErrno(error, root)
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
    if (errnoOf(error) === 'EPIPE') process.exit(ExitCode.bug)
    throw error
  }
}
