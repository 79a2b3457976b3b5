import {closeSync, constants, lstatSync, openSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {templatePath} from '../host/paths.js'
import {start} from '../host/process.js'
import {coverStrays} from './cover-strays.js'
import type {Companion, OpenCompanion} from './spec.js'

/** How a guest's requests for a point to go back to are met; templates/host/restore-points.sh says more. */
export type RestoreRequests = {
  /** The folder that is bound at the guest's /run/envs: hostile. */
  readonly folder: string
  /** What the environment has written since its start. */
  readonly upper: string
  /** The argument list that makes a point; the first line it prints is the answer. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Returns the program that meets the requests. It ends when the first processes, the only ones with the writing end, have. */
export function restoreRequestCompanion(requests: RestoreRequests): Companion {
  return {prepare: () => clearRequests(requests), open: () => openRequests(requests)}
}

/** Where the FIFOs are to be made that a guest asks through, and is answered. */
function requestPaths(folder: string) {
  return [join(folder, 'restore-point'), join(folder, 'restore-point-answers')] as const
}

/**
 * Takes away what the environment had there before, which a program that still listens may have open.
 *
 * @returns Where FIFOs are to be made; none where the last guest left what can't be taken away.
 */
function clearRequests({folder}: RestoreRequests): readonly string[] {
  const paths = requestPaths(folder)
  try {
    for (const path of paths) rmSync(path, {force: true})
    return paths
  } catch (error) {
    if (!isErrno(error)) throw error
    return []
  }
}

/**
 * Opens the FIFOs, which stay the same in spite of what a guest does to their names. Nothing of the environment may run yet.
 *
 * @returns undefined where they could not be made: the environment does without.
 */
function openRequests(requests: RestoreRequests): OpenCompanion | undefined {
  const opened: number[] = []
  const close = () => {
    for (const fd of opened.splice(0)) closeSync(fd)
  }
  try {
    const paths = requestPaths(requests.folder)
    if (!paths.every((path) => lstatSync(path).isFIFO())) return undefined
    const {O_RDONLY, O_WRONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK} = constants
    // Reading and writing: whoever opens one end alone would wait for the other.
    const [request, replies] = paths.map((path) => keep(openSync(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK)))
    if (request === undefined || replies === undefined) return undefined
    const reader = keep(openSync(`/proc/self/fd/${request}`, O_RDONLY))
    const writer = keep(openSync(`/proc/self/fd/${request}`, O_WRONLY))
    return {
      writer,
      launched: ({runFolder, devNull}) =>
        listen(requests, runFolder, coverStrays(['ignore', 'ignore', 'ignore', reader, replies], devNull)),
      close,
    }
  } catch (error) {
    close()
    if (!isErrno(error)) throw error
    return undefined
  }

  function keep(fd: number): number {
    opened.push(fd)
    return fd
  }
}

function listen(
  {upper, command, environment}: RestoreRequests,
  runFolder: string,
  stdio: ReturnType<typeof coverStrays>,
): void {
  const child = start(['/bin/sh', templatePath('host/restore-points.sh'), runFolder, upper, ...command], {
    cwd: '/',
    env: environment,
    // Ctrl-C at the terminal of the session that started it is not meant for it.
    detached: true,
    stdio,
  })
  // Without one, nobody answers.
  child.on('error', () => {})
  child.unref()
}
