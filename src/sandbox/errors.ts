import {EnvsError, ExitCode} from '../errors.js'
import {type Check, type CheckId, seeChecks} from '../host/doctor/check.js'
import type {LockHolder} from '../host/flock.js'

/** Where the doctor looks at a program; the others are of util-linux. */
const TOOL_CHECKS: Readonly<Record<string, CheckId>> = {
  bwrap: 'bubblewrap',
  proot: 'engine',
}

/** A program that the sandbox is built from is not on this host. */
export class ToolMissingError extends EnvsError {
  constructor(
    readonly tool: string,
    readonly packageName: string,
  ) {
    super(`${tool} was not found on this host; it is in the package ${packageName}.`, {
      code: 'ENVS_TOOL_MISSING',
      exitCode: ExitCode.host,
      suggestions: [seeChecks(TOOL_CHECKS[tool] ?? 'util-linux')],
    })
  }
}

/** The kernel, or what governs it, lets no user namespace be made. */
export class NamespaceRefusedError extends EnvsError {
  constructor() {
    super('No user namespace could be made on this host.', {
      code: 'ENVS_NO_NAMESPACE',
      exitCode: ExitCode.host,
      suggestions: [seeChecks('user-namespaces', 'apparmor')],
    })
  }
}

/** Nothing on this host can enter a tree, or not what was asked for. */
export class EngineUnavailableError extends EnvsError {
  /** @param explanation - What the doctor found when it was asked why. */
  constructor(
    readonly setting: 'auto' | 'bwrap' | 'unshare' | 'proot',
    explanation?: Check,
  ) {
    super(
      setting === 'auto'
        ? 'No environment can be entered on this host: bubblewrap, system calls alone and proot were tried.'
        : `The engine ${setting} was asked for, and does not work on this host.`,
      {
        code: 'ENVS_ENGINE_UNAVAILABLE',
        exitCode: ExitCode.host,
        suggestions: [
          ...(explanation === undefined
            ? [seeChecks('engine', 'user-namespaces', 'bubblewrap')]
            : [`${explanation.title}: ${explanation.evidence}`, seeChecks('engine', explanation.id)]),
          ...(setting === 'auto' ? [] : ['Or leave the setting engine (ENVS_ENGINE) at auto.']),
        ],
      },
    )
  }
}

/** The environment's first process did not come up. */
export class AnchorFailedError extends EnvsError {
  /**
   * @param evidence - Last line that the engine or the guest's shell printed; untrusted.
   * @param explanation - What the doctor found when it was asked why, or that the tree has no shell.
   */
  constructor(
    readonly environment: string,
    readonly evidence: string,
    explanation?: Check | 'no shell',
  ) {
    super(`Environment ${environment} could not be started${evidence === '' ? '.' : `: ${evidence}`}`, {
      code: 'ENVS_START_FAILED',
      exitCode: ExitCode.host,
      suggestions: suggestionsFor(explanation),
    })
  }
}

function suggestionsFor(explanation: Check | 'no shell' | undefined): string[] {
  if (explanation === undefined) return [seeChecks('engine', 'user-namespaces')]
  if (explanation !== 'no shell') {
    return [`${explanation.title}: ${explanation.evidence}`, seeChecks(explanation.id)]
  }
  return ['Its tree has no /bin/sh: make it anew of a whole root file system.']
}

/** Something holds the environment's liveness lock, and has not let it go or let the environment be joined. */
export class AnchorUnreachableError extends EnvsError {
  /** @param holders - Who holds it; none when they can't be seen from here. */
  constructor(name: string, holders: readonly LockHolder[]) {
    const [holder] = holders
    super(
      holder === undefined
        ? `Environment ${name} is held by a process that can't be seen from here.`
        : `Environment ${name} is held by process ${holder.pid} (${holder.command}), and can't be joined.`,
      {
        code: 'ENVS_UNREACHABLE',
        exitCode: ExitCode.conflict,
        suggestions: [
          ...(holder === undefined
            ? [
                'It may run on another machine that shares this folder, or in another container: stop it there.',
              ]
            : []),
          'What a killed start left behind here is ended by: envs doctor --repair',
        ],
      },
    )
  }
}

/** The running environment could not be joined, or the command could not be made ready in it. */
export class SessionFailedError extends EnvsError {
  constructor(name: string, reason: string, suggestions: readonly string[] = [seeChecks('engine')]) {
    super(`No session in ${name}: ${reason}`, {
      code: 'ENVS_SESSION_FAILED',
      exitCode: ExitCode.guestNotStarted,
      suggestions,
    })
  }
}

/** The command does not exist in the guest (127) or can't be executed there (126), as in env(1). */
export class CommandNotExecutedError extends EnvsError {
  constructor(name: string, command: string, {isMissing}: {isMissing: boolean}) {
    super(`${command}: ${isMissing ? 'not found' : "can't be executed"} in ${name}.`, {
      code: isMissing ? 'ENVS_COMMAND_NOT_FOUND' : 'ENVS_COMMAND_NOT_EXECUTABLE',
      exitCode: isMissing ? 127 : 126,
      suggestions: command.startsWith('-')
        ? ['Flags of envs go before the name: all that follows it is the command.']
        : [],
    })
  }
}
