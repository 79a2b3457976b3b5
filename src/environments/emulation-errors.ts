import {defineError, type EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/doctor/check.js'

/** Why programs of another processor can't be run. */
export type EmulationObstacle =
  | {readonly kind: 'unknown'}
  | {readonly kind: 'proot'}
  | {readonly kind: 'root'}
  | {readonly kind: 'no-qemu'}
  | {readonly kind: 'kernel'}

const REGISTER_FOR_ALL =
  'Or ask an administrator to register QEMU for the whole machine, with the package qemu-user-binfmt or qemu-user-static.'

const REASONS: Readonly<Record<EmulationObstacle['kind'], {reason: string; suggestions: readonly string[]}>> =
  {
    unknown: {
      reason: 'this version of envs does not support it',
      suggestions: ['A newer version of envs may support it.'],
    },
    proot: {
      reason: 'the engine proot runs only programs of the processor of this host',
      suggestions: [seeChecks('engine')],
    },
    root: {
      reason: 'envs registers no interpreter for the whole machine when root starts it',
      suggestions: [
        'Install the package qemu-user-binfmt or qemu-user-static, which registers QEMU.',
        'Or run envs as an ordinary user.',
      ],
    },
    'no-qemu': {
      reason: 'no statically linked QEMU was found on this host',
      suggestions: ['Download QEMU into your own folder: envs doctor --fetch qemu', REGISTER_FOR_ALL],
    },
    kernel: {
      reason:
        'this kernel gives a user namespace no table of interpreters (binfmt_misc): Linux 6.7 and newer do',
      suggestions: [REGISTER_FOR_ALL],
    },
  }

/** @public An environment is of an architecture whose programs can't be run on this host. */
export const noEmulationError = defineError('ENVS_NO_EMULATION', ExitCode.host, {
  message: 'Could not run programs of the architecture {architecture}: {reason}.',
  nextStep: 'Download QEMU into your own folder: envs doctor --fetch qemu',
})

export function emulationUnavailableError(architecture: string, {kind}: EmulationObstacle): EnvsError {
  const {reason, suggestions} = REASONS[kind]
  return noEmulationError({architecture, reason}, {suggestions})
}

/** The archive that a program for the host would come from is not signed by the distribution's own keys. */
export const toolSignerError = defineError('ENVS_UNKNOWN_SIGNER', ExitCode.integrity, {
  message:
    'Did not download {packageName}: programs for the host need a signature by a key of Debian. {reason}',
  nextStep:
    'Use a mirror that keeps the signatures of Debian, or the default one: envs config unset mirrors.debianArchive. Keys of the setting keyrings do not count here.',
})

/** A program was fetched, and can't be started here. */
export const toolNotRunnableError = defineError('ENVS_TOOL_NOT_RUNNABLE', ExitCode.host, {
  message: '{tool} was downloaded and verified, but does not start on this host; envs removed it again.',
  nextStep: seeChecks('execution', 'disk'),
})

/** Another command fetches the same tool, and takes long. */
export const toolsBusyError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'Another command is downloading {tool}.',
  nextStep: 'Wait for that command to end, then run this command again.',
})
