import {defineError, EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from './check.js'

export type LockHolder = {readonly pid: number; readonly command: string}

export class DigestMismatchError extends EnvsError {}

/** The digest of the bytes differs from the expected one. Never retried, never cached. */
export const digestMismatchError = defineError(
  'ENVS_DIGEST_MISMATCH',
  ExitCode.integrity,
  {
    message: 'The SHA-256 digest of {source} is {actual}, not {expected}.',
    nextStep:
      'Compare the digest with the one that the publisher states: the file is damaged, or it is another file.',
  },
  DigestMismatchError,
)

export class PerlMissingError extends EnvsError {}

/** The host has no Perl, and no Perl was fetched. */
export const perlMissingError = defineError(
  'ENVS_TOOL_MISSING',
  ExitCode.host,
  {
    message: 'perl was not found on this host: envs needs perl for system calls that Node.js cannot make.',
    nextStep: [
      'Download perl into your own folder: envs doctor --fetch perl',
      'Or ask an administrator to install the package perl-base.',
      seeChecks('launcher'),
    ],
  },
  PerlMissingError,
)

/** util-linux is incomplete on this host. */
export const flockMissingError = defineError('ENVS_NO_FLOCK', ExitCode.host, {
  message: 'flock(1) was not found on this host.',
  nextStep: 'Ask an administrator to install the package util-linux, which holds flock.',
})

/** Only sessions pass such bytes on: Node names files in UTF-8. */
export const notUtf8Error = defineError('ENVS_USAGE', ExitCode.usage, {
  message: '"{text}" is not UTF-8.',
  nextStep: [
    'Rename the file, or pass it by a redirection: envs import - <FILE, envs export NAME >FILE',
    'Commands in an environment get such arguments unchanged: envs run NAME COMMAND [ARGUMENT...]',
  ],
})

/** The account, or this process, may not have more; no program of the host is to blame. */
export const limitReachedError = defineError('ENVS_LIMIT_REACHED', ExitCode.host, {
  message: 'A limit of this account is reached: {limit}.',
  nextStep: 'End some of your programs, or raise the limit. To see the limits: ulimit -a',
})

/** Another user could replace or change files that envs reads and runs. */
export const unsafeStoreError = defineError('ENVS_STORE_UNSAFE', ExitCode.integrity, {
  message: 'The folders of envs are not safe from other users: {reason}.',
  nextStep: 'Set ENVS_HOME, or HOME, to a folder that you own and that no other user can write to.',
})

export const unknownArchitectureError = defineError('ENVS_UNKNOWN_ARCHITECTURE', ExitCode.host, {
  message: 'envs does not support the processor architecture "{architecture}".',
  nextStep: 'Use a host with one of the architectures of Debian.',
})

/** The file system, such as /proc, does not allow new folders. */
export const noPlaceForFolderError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'Could not create the folder "{path}": its file system does not allow new folders.',
  nextStep: 'Set ENVS_HOME, or the XDG_ variable of that path, to another folder.',
})

/** The disk did not confirm that it has written everything. */
export const syncFailedError = defineError('ENVS_STORAGE_FAILED', ExitCode.storage, {
  message: 'Could not write all files to the disk of "{path}": {reason}.',
  nextStep: 'Check the state of the disk, then run the command again.',
})

/** Returns the lock holders as text for a message. @param holders - Empty if they cannot be seen. */
export function describeHolders(holders: readonly LockHolder[]): string {
  if (holders.length === 0) return 'another process'
  return holders.map(({pid, command}) => `${command} (process ${pid})`).join(', ')
}
