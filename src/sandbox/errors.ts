import {EnvsError, ExitCode} from '../errors.js'

const ASK_DOCTOR = 'Run `envs doctor`: it names what this host lacks and the remedy.'

/** A program that the sandbox is built from is not on this host. */
export class ToolMissingError extends EnvsError {
  constructor(
    readonly tool: string,
    readonly packageName: string,
  ) {
    super(`${tool} was not found on this host; it is in the package ${packageName}.`, {
      code: 'ENVS_TOOL_MISSING',
      exitCode: ExitCode.host,
      suggestions: [ASK_DOCTOR],
    })
  }
}

/** No language of the host can join an environment: Node has no function for it. */
export class LauncherMissingError extends EnvsError {
  constructor() {
    super(
      'Neither perl nor python3 was found on this host, and one of them must join the environment; they are in the packages perl-base and python3.',
      {code: 'ENVS_TOOL_MISSING', exitCode: ExitCode.host, suggestions: [ASK_DOCTOR]},
    )
  }
}

/** The environment's first process did not come up. */
export class AnchorFailedError extends EnvsError {
  /** @param evidence - Last line that the engine or the guest's shell printed; untrusted. */
  constructor(name: string, evidence: string) {
    super(`Environment ${name} could not be started${evidence === '' ? '.' : `: ${evidence}`}`, {
      code: 'ENVS_START_FAILED',
      exitCode: ExitCode.host,
      suggestions: [ASK_DOCTOR],
    })
  }
}

/** Something holds the environment's liveness lock, but nothing of it can be seen from here. */
export class AnchorUnreachableError extends EnvsError {
  constructor(name: string) {
    super(`Environment ${name} is held by a process that can't be seen from here.`, {
      code: 'ENVS_UNREACHABLE',
      exitCode: ExitCode.conflict,
      suggestions: [
        'It may run on another machine that shares this folder, or in another container: stop it there.',
      ],
    })
  }
}

/** The running environment could not be joined, or the command could not be made ready in it. */
export class SessionFailedError extends EnvsError {
  constructor(name: string, reason: string, suggestions: readonly string[] = [ASK_DOCTOR]) {
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
