import {closeSync, constants, lstatSync, openSync, rmSync} from 'node:fs'
import {join} from 'node:path'
import {isErrno} from '../host/errno.js'
import {templatePath} from '../host/paths.js'
import {start} from '../host/process.js'
import {coverStrays} from './cover-strays.js'

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

export type RequestChannel = {
  /** To be kept open by the environment's first processes alone: with it the program that listens ends. */
  readonly writer: number
  /** Starts the program that listens. @param devNull - A descriptor of /dev/null. */
  listen(runFolder: string, devNull: number): void
  close(): void
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
export function clearRequests({folder}: RestoreRequests): readonly string[] {
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
export function openRequests(requests: RestoreRequests): RequestChannel | undefined {
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
      listen: (runFolder, devNull) =>
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
