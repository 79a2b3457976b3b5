import {mkdir, open} from 'node:fs/promises'
import {join} from 'node:path'
import type {Settings} from '../../config/settings.js'
import {EnvsError, errnoOf, wordsForErrno} from '../../errors.js'
import {ignoreFailure} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
import type {ImageContext} from '../../images/sources/source.js'
import {environmentFiles} from '../../store/environments.js'
import {Creation} from '../create/creation.js'
import {planCreation} from '../create/request.js'
import {removeEnvironment} from '../remove.js'
import {stopFiles} from '../session/processes.js'
import {runInEnvironment} from '../session/run.js'
import {claimTryName} from '../try/tries.js'
import type {Cell} from './results.js'

/** A combination of an image and an architecture, in which the command runs once. */
export type CellWish = {
  readonly image: string
  readonly architecture: DebArchitecture
  readonly mayFail: boolean
}

export type MatrixWish = {
  readonly cells: readonly CellWish[]
  readonly command: readonly string[]
  readonly packages: readonly string[]
  readonly variables: readonly string[]
  /** `90s`, `10m`; undefined without a limit. */
  readonly timeout: string | undefined
  /** The folder that cells get a copy of. */
  readonly folder: string
  /** Where the logs are written. */
  readonly logs: string
}

export type CellContext = {
  readonly host: Host
  readonly settings: Settings
  readonly context: ImageContext
  readonly wish: MatrixWish
  /** Aborted by the user, or by the first failure under --fail-fast. */
  readonly signal: AbortSignal
}

/** timeout(1) ends so, and sessions with a limit do. */
const TIMED_OUT = 124

/** The folder of the project, and the copy in which the command works: it may write there, and other cells don't see it. */
const COPY = 'mkdir -p /work && cp -a /src/. /work/ && cd /work && exec "$@"'

/** The name of a cell in messages and of its log: `noble-amd64`. */
export function cellName({image, architecture}: Pick<Cell, 'image' | 'architecture'>): string {
  return `${image.replace(/[^A-Za-z0-9.]+/g, '-')}-${architecture}`
}

/** Runs the command in a throwaway environment of its own. Never rejects: a failure is an outcome. */
export async function runCell(cell: CellWish, {host, ...around}: CellContext): Promise<Cell> {
  const begunAtMs = performance.now()
  const log = join(around.wish.logs, `${cellName(cell)}.log`)
  const done = (facts: Pick<Cell, 'outcome'> & Partial<Cell>): Cell => ({
    ...{image: cell.image, architecture: cell.architecture, mayFail: cell.mayFail},
    ...{status: null, log: null, message: null},
    seconds: Math.round((performance.now() - begunAtMs) / 100) / 10,
    ...facts,
  })
  if (around.signal.aborted) return done({outcome: 'skipped'})
  try {
    const status = await inThrowaway(cell, {host, ...around}, log)
    if (around.signal.aborted && status !== 0) return done({outcome: 'cancelled', log})
    if (status === TIMED_OUT && around.wish.timeout !== undefined) return done({outcome: 'timeout', log})
    return done({outcome: status === 0 ? 'passed' : 'failed', status, log})
  } catch (error) {
    if (around.signal.aborted) return done({outcome: 'cancelled'})
    const errno = errnoOf(error)
    if (errno !== undefined) return done({outcome: 'error', message: wordsForErrno(errno)})
    if (!(error instanceof EnvsError)) throw error
    return done({outcome: 'error', message: error.message})
  }
}

async function inThrowaway(
  {image, architecture}: CellWish,
  {host, settings, context, wish, signal}: CellContext,
  log: string,
): Promise<number> {
  const {name, lock} = await claimTryName(host.paths)
  try {
    const archive = {variant: undefined, include: wish.packages, components: [], allowExpired: false}
    const planned = await planCreation(
      {image, name, sha256: undefined, architecture, archive},
      {host, settings, context},
    )
    const creation = await Creation.begin(host, {...planned, isSynced: false, isThrowaway: true}, {signal})
    try {
      await creation.find({})
      await creation.fetch({onProgress: () => {}})
      await creation.extract(() => {})
      await creation.publish()
    } finally {
      await creation.close()
    }
    signal.throwIfAborted()
    return await runLogged(host, name, {wish, log, signal})
  } finally {
    await removeEnvironment(host, name, {force: true}).catch(ignoreFailure)
    lock.release()
  }
}

type LoggedRun = Pick<CellContext, 'wish' | 'signal'> & {readonly log: string}

async function runLogged(
  host: Host,
  name: Parameters<typeof environmentFiles>[1],
  {wish, log, signal}: LoggedRun,
): Promise<number> {
  await mkdir(wish.logs, {recursive: true})
  const file = await open(log, 'w', 0o644)
  const stop = () =>
    void stopFiles(host, environmentFiles(host.paths, name), {graceMs: 0}).catch(ignoreFailure)
  signal.addEventListener('abort', stop)
  try {
    // One after the other: writes of one file that overlap may change places.
    let writing = Promise.resolve()
    const session = {
      command: ['/bin/sh', '-c', COPY, 'sh', ...wish.command],
      ...{
        user: undefined,
        workingFolder: '/',
        variables: wish.variables,
        volumes: [`${wish.folder}:/src:ro`],
      },
      ...(wish.timeout === undefined ? {} : {timeout: wish.timeout}),
      durable: 'never',
    } as const
    const status = await runInEnvironment(host, name, session, {
      onOutput: (_, chunk) => {
        writing = writing.then(() => file.appendFile(chunk))
        writing.catch(() => {})
      },
      // A stop before that finds nothing that runs.
      onStarted: () => signal.aborted && stop(),
    })
    await writing
    return status
  } finally {
    signal.removeEventListener('abort', stop)
    await file.close()
  }
}
