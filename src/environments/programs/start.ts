import {closeSync, existsSync, openSync, rmSync} from 'node:fs'
import {basename, join} from 'node:path'
import type {Readable} from 'node:stream'
import * as v from 'valibot'
import {EnvsError, type ErrorCode} from '../../errors.js'
import {bytesOfText} from '../../host/argv/bytes.js'
import {ignoring} from '../../host/errno.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {isLockOf, type Lock, takeLock} from '../../host/locks.js'
import {systemCalls} from '../../host/machine/arch.js'
import {packageRoot} from '../../host/paths.js'
import {pipeOf, requirePerl, scriptWords, start, started} from '../../host/process.js'
import {numberField, parseIfValid} from '../../host/records.js'
import {makeFifos} from '../../sandbox/anchor.js'
import {coverStrays} from '../../sandbox/constants.js'
import {SESSION_OPTIONS, type SessionFields} from '../../sandbox/session-options.js'
import {type Environment, findEnvironment} from '../../store/environments.js'
import {lockEnvironment} from '../../store/locks.js'
import {programFailedError, programRunningError} from './errors.js'
import {checkProgramName, listPrograms, programFiles, type RestartPolicy, writeProgram} from './program.js'
import {removeEnded} from './remove.js'

type ProgramRequest = {
  /** Undefined: the name of the command. */
  readonly name: string | undefined
  readonly command: readonly string[]
  readonly fields: SessionFields
  readonly restart: RestartPolicy
}

/** Programs that have ended, whose state and logs stay for the user to see. */
const MOST_ENDED = 20
/** Longer than a look at the lock takes. */
const LOOK_MS = 500

/**
 * Starts a program that continues without this process, and returns when its command was executed.
 *
 * templates/host/program.pl keeps it running: each of its sessions is one `envs run`. It holds the lock of the environment shared.
 *
 * @throws {UsageError} @throws {@link programRunningError} @throws The error of the session, when the command did not start.
 */
export async function startProgram(
  host: Host,
  text: string,
  request: ProgramRequest,
): Promise<{readonly environment: string; readonly program: string}> {
  const environment = await findEnvironment(host.paths, text)
  const program = request.name ?? basename(request.command[0] ?? '')
  checkProgramName(program)
  const lock = await lockEnvironment(host.paths, environment.name, 'shared')
  try {
    // It was removed before this command had the lock.
    await findEnvironment(host.paths, environment.name)
    await sweepEnded(environment)
    const own = await claim(environment, program)
    try {
      await launch(host, environment, {...request, name: program, locks: [lock, own]})
    } finally {
      own.release()
    }
  } finally {
    lock.release()
  }
  return {environment: environment.name, program}
}

/** Takes the lock of a program. @throws {@link programRunningError} */
async function claim({name, files}: Environment, program: string): Promise<Lock> {
  const {folder, lock} = programFiles(files.run, program)
  for (;;) {
    await makeFolders(folder, {mode: 0o700})
    const own = await takeLock(lock, {mode: 'exclusive', waitMs: LOOK_MS}).catch(ignoring('ENOENT'))
    if (own !== undefined && isLockOf(own, lock)) return own
    own?.release()
    // Else somebody removed an ended program of the name meanwhile.
    if (own === undefined && existsSync(lock)) throw programRunningError({program, environment: name})
  }
}

async function launch(
  host: Host,
  {name: environment, files: {run}}: Environment,
  {
    name,
    command,
    fields,
    restart,
    locks,
  }: ProgramRequest & {readonly name: string; readonly locks: readonly Lock[]},
): Promise<void> {
  const {folder, record, state, control} = programFiles(run, name)
  for (const path of [control, state]) rmSync(path, {force: true, recursive: true})
  await makeFifos([control])
  await writeProgram(record, {command, restart, createdAt: host.now()})
  const plan = [
    folder,
    `envs run --detach --name ${name} ${environment}`,
    restart,
    String(systemCalls(host.architecture).prctl),
    host.workingFolder,
    join(packageRoot(), 'bin', 'envs'),
    ...['run', ...optionWords(fields), environment, '--', ...command],
  ]
  const devNull = openSync('/dev/null', 'r+')
  const stdio = coverStrays(
    ['ignore', 'ignore', 'ignore', 'pipe', ...locks.map(({fd}) => fd), 'pipe'],
    devNull,
  )
  const child = start(scriptWords(requirePerl(host), 'program'), {cwd: '/', detached: true, stdio})
  try {
    await started(child)
    child.unref()
    const fieldsPipe = pipeOf(child, ProgramFd.plan)
    fieldsPipe.on('error', () => {})
    fieldsPipe.end(bytesOfText(plan.map((field) => `${field}\0`).join('')))
    const word = await readAll(pipeOf(child, ProgramFd.report))
    if (word !== 'started\n') throw failureIn(word) ?? programFailedError({program: name, environment})
  } finally {
    closeSync(devNull)
  }
}

/** Numbers of the descriptors that templates/host/program.pl inherits, beside two locks. */
const ProgramFd = {report: 3, plan: 6} as const

/** Returns the options of a session as a user types them. */
function optionWords(fields: SessionFields): string[] {
  return SESSION_OPTIONS.flatMap(({name, field}) =>
    [fields[field] ?? []].flat().flatMap((value) => (value === true ? [`--${name}`] : [`--${name}`, value])),
  )
}

async function readAll(stream: Readable): Promise<string> {
  const chunks: string[] = []
  for await (const chunk of stream) chunks.push(String(chunk))
  return chunks.join('')
}

const failureSchema = v.object({
  code: v.custom<ErrorCode>((value) => typeof value === 'string' && value.startsWith('ENVS_')),
  message: v.string(),
  suggestions: v.array(v.string()),
  exitCode: numberField,
})

/** Returns the failure that a session reported; see host/start-report.ts. */
function failureIn(word: string): EnvsError | undefined {
  const failure = word.startsWith('failed ') ? parseIfValid(word.slice(7), failureSchema) : undefined
  return failure === undefined ? undefined : new EnvsError(failure.message, failure)
}

/** Removes the state of those that ended long ago, where there are many. */
async function sweepEnded({files: {run}}: Environment): Promise<void> {
  const ended = (await listPrograms(run)).filter(({state}) => state === 'ended')
  const old = ended.sort((a, b) => b.since.getTime() - a.since.getTime()).slice(MOST_ENDED)
  for (const {name} of old) await removeEnded(run, name)
}
