import {EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/doctor/check.js'

/** Why programs of another processor can't be run. */
export type EmulationObstacle =
  | {readonly kind: 'unknown'}
  | {readonly kind: 'proot'}
  | {readonly kind: 'root'}
  | {readonly kind: 'no-qemu'}
  | {readonly kind: 'kernel'}

const REGISTER_FOR_ALL =
  'An administrator can have the whole machine run them, with the package qemu-user-binfmt or qemu-user-static.'

const REASONS: Readonly<Record<EmulationObstacle['kind'], {reason: string; suggestions: readonly string[]}>> =
  {
    unknown: {reason: 'this envs does not know it', suggestions: ['It may be from a newer envs.']},
    proot: {
      reason: 'the engine proot runs programs of this processor alone',
      suggestions: [seeChecks('engine')],
    },
    root: {
      reason: 'started by root, envs would register an interpreter for the whole machine, and does not',
      suggestions: [
        'Install the package qemu-user-binfmt or qemu-user-static, which does.',
        'Or be an ordinary user.',
      ],
    },
    'no-qemu': {
      reason: 'no qemu that needs no libraries was found on this host',
      suggestions: ['Have it fetched into your own folder: envs doctor --fetch qemu', REGISTER_FOR_ALL],
    },
    kernel: {
      reason:
        'this kernel gives a user namespace no table of interpreters (binfmt_misc), as Linux does from 6.7 on',
      suggestions: [REGISTER_FOR_ALL],
    },
  }

/** An environment is of an architecture whose programs can't be run on this host. */
export class EmulationUnavailableError extends EnvsError {
  constructor(
    architecture: string,
    readonly obstacle: EmulationObstacle,
  ) {
    const {reason, suggestions} = REASONS[obstacle.kind]
    super(`Programs of the architecture ${architecture} can't be run here: ${reason}.`, {
      code: 'ENVS_NO_EMULATION',
      exitCode: ExitCode.host,
      suggestions,
    })
  }
}

/** The archive that a program for the host would come from is not signed by the distribution's own keys. */
export class ToolSignerError extends EnvsError {
  constructor(packageName: string, cause: EnvsError) {
    super(
      `${packageName} was not fetched, for programs of the host need a signature of Debian's own: ${cause.message}`,
      {
        code: 'ENVS_UNKNOWN_SIGNER',
        exitCode: ExitCode.integrity,
        suggestions: [
          "Keys of the setting keyrings don't count here. Use a mirror that keeps Debian's signatures, or none: envs config unset mirrors.debianArchive",
        ],
        cause,
      },
    )
  }
}

/** A program was fetched, and can't be started here. */
export class ToolNotRunnableError extends EnvsError {
  constructor(tool: string) {
    super(`${tool} was fetched and verified, but can't be started on this host; it was taken away again.`, {
      code: 'ENVS_TOOL_NOT_RUNNABLE',
      exitCode: ExitCode.host,
      suggestions: [seeChecks('execution', 'disk')],
    })
  }
}

/** Another command fetches the same tool, and takes long. */
export class ToolsBusyError extends EnvsError {
  constructor(tool: string) {
    super(`Another command is fetching ${tool}.`, {
      code: 'ENVS_BUSY',
      exitCode: ExitCode.conflict,
      suggestions: ['Wait for it, and try again.'],
    })
  }
}
