import type {ChildProcess} from 'node:child_process'
import {join} from 'node:path'
import type {Readable, Writable} from 'node:stream'
import type {EnvsError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {packageRoot, templateText} from '../../host/paths.js'
import {type Exit, ended, start} from '../../host/process.js'
import {
  fileCopyFailedError,
  fileMissingError,
  inTheWayError,
  noTarError,
  targetMissingError,
} from './errors.js'
import type {Place} from './place.js'

type GuestPlace = Extract<Place, {kind: 'guest'}>

/** A tar of the guest that runs in a session, as a user of the guest. */
export type GuestTar = {
  readonly input: Writable
  readonly output: Readable
  /** Waits for its end. Returns its warnings. @throws {EnvsError} */
  end(): Promise<readonly string[]>
  hasEnded(): boolean
  kill(): void
}

/** Exit statuses of templates/guest/send-files.sh and receive-files.sh. */
const MISSING = 41
const NO_TAR = 42
const NO_FOLDER = 43
const IN_THE_WAY = 44
/** GNU tar: a file changed while tar read it. */
const SOME_DIFFER = 1

const MOST_MESSAGE_CHARACTERS = 64 * 1024

/** Starts `send-files.sh` or `receive-files.sh` in an environment, which starts if it is stopped. */
export async function startGuestTar(
  host: Host,
  place: GuestPlace,
  {verb, words = [], user}: {verb: 'send' | 'receive'; words?: readonly string[]; user: string | undefined},
): Promise<GuestTar> {
  const script = await templateText(`guest/${verb}-files.sh`)
  const child = start(
    [
      ...[join(packageRoot(), 'bin', 'envs'), 'run', ...(user === undefined ? [] : ['--user', user])],
      ...[place.environment, '--', 'sh', '-c', script, `${verb}-files`, place.path, ...words],
    ],
    {env: {...host.environment}, stdio: ['pipe', 'pipe', 'pipe']},
  )
  const tar = guestTar(child, place)
  if (verb === 'send') tar.input.end()
  return tar
}

function guestTar(child: ChildProcess, place: GuestPlace): GuestTar {
  const {stdin, stdout, stderr} = child
  if (stdin === null || stdout === null || stderr === null)
    throw new Error('a session of envs cp has no pipes')
  let messages = ''
  stderr.setEncoding('utf8').on('data', (text: string) => {
    if (messages.length < MOST_MESSAGE_CHARACTERS) messages += text
  })
  // Its status tells why it reads no more.
  stdin.on('error', () => {})
  const exit = ended(child)
  exit.catch(() => {})
  return {
    input: stdin,
    output: stdout,
    async end() {
      const {status} = await exit
      const lines = messages.split('\n').filter((line) => line.trim() !== '')
      if (status !== 0 && status !== SOME_DIFFER) throw failureOf({status, lines}, place)
      return lines
    },
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    kill: () => void child.kill('SIGTERM'),
  }
}

function failureOf(
  {status, lines}: Pick<Exit, 'status'> & {readonly lines: readonly string[]},
  {text: path, environment: name}: GuestPlace,
): EnvsError {
  switch (status) {
    case MISSING:
      return fileMissingError({path})
    case NO_TAR:
      return noTarError({name})
    case NO_FOLDER:
      return targetMissingError({path})
    case IN_THE_WAY:
      return inTheWayError({path})
    default: {
      // The first line of a session that did not start, and of a tar that failed: the others follow from it.
      const reason = (lines[0] ?? `tar ended with status ${status}`).replace(/^(?:envs|tar): /, '')
      return fileCopyFailedError({path, reason: reason.replace(/\.$/, '')})
    }
  }
}
