import {defineError, EnvsError, ExitCode} from '../errors.js'
import {type Check, type NamedCheck, seeChecks} from '../host/check.js'
import type {LockHolder} from '../host/errors.js'

/** The doctor's check of a program; other programs belong to util-linux. */
const TOOL_CHECKS: Readonly<Record<string, NamedCheck>> = {
  bwrap: 'bubblewrap',
  proot: 'engine',
}

/** @public */
export const toolMissingKind = defineError('ENVS_TOOL_MISSING', ExitCode.host, {
  message: '{tool} was not found on this host: it is in the package {packageName}.',
  nextStep: 'Ask an administrator to install the package {packageName}.',
})

/** A program that the sandbox is built from is not on this host. */
export class ToolMissingError extends EnvsError {
  constructor(tool: string, packageName: string) {
    const suggestions = [seeChecks(TOOL_CHECKS[tool] ?? 'util-linux')]
    super(...toolMissingKind.parts({tool, packageName}, {suggestions}))
  }
}

export class NamespaceRefusedError extends EnvsError {}

/** The kernel, a sysctl or AppArmor refuses to make a user namespace. */
export const namespaceRefusedError = defineError(
  'ENVS_NO_NAMESPACE',
  ExitCode.host,
  {
    message: 'Could not make a user namespace on this host.',
    nextStep: seeChecks('user-namespaces', 'apparmor'),
  },
  NamespaceRefusedError,
)

/** @public */
export const noEngineKind = defineError('ENVS_ENGINE_UNAVAILABLE', ExitCode.host, {
  message: 'This host cannot enter any environment: envs tried bubblewrap, system calls alone and proot.',
  nextStep: seeChecks('engine', 'user-namespaces', 'bubblewrap'),
})

/** @public */
export const engineUnusableKind = defineError('ENVS_ENGINE_UNAVAILABLE', ExitCode.host, {
  message: 'The engine {setting} does not work on this host.',
  nextStep: seeChecks('engine'),
})

/** @public */
export const prootMissingKind = defineError('ENVS_ENGINE_UNAVAILABLE', ExitCode.host, {
  message: 'The engine proot does not work on this host: proot was not found.',
  nextStep:
    'Download it into your own folder: envs doctor --fetch proot. Or ask an administrator to install the package proot.',
})

type EngineFindings = {
  /** The finding of the doctor; `missing` if the program of the engine is not on this host. */
  readonly explanation?: Check | 'missing' | undefined
  /** An engine that works, which the setting `auto` would choose. */
  readonly other?: string | undefined
}

/** Nothing on this host can enter a tree, or not what was asked for. */
export class EngineUnavailableError extends EnvsError {
  constructor(
    readonly setting: 'auto' | 'bwrap' | 'unshare' | 'proot',
    {explanation, other}: EngineFindings = {},
  ) {
    const seen = typeof explanation === 'object' ? explained(explanation, 'engine') : []
    const orAuto =
      other === undefined ? [] : [`Or leave the setting engine (ENVS_ENGINE) at auto: ${other} works here.`]
    const steps = (usual: readonly string[]) => ({
      suggestions: [...(seen.length > 0 ? seen : usual), ...orAuto],
    })
    super(
      ...(setting === 'auto'
        ? noEngineKind.parts({}, steps(noEngineKind.nextSteps))
        : explanation === 'missing'
          ? prootMissingKind.parts({}, steps(prootMissingKind.nextSteps))
          : engineUnusableKind.parts({setting}, steps(engineUnusableKind.nextSteps))),
    )
  }
}

/** Returns the evidence of a check, and the command that shows it. @param others - Checks to look at as well. */
function explained({title, evidence}: Check, ...others: readonly NamedCheck[]): string[] {
  return [`${title}: ${evidence}`, seeChecks(...others, {title})]
}

/** @public */
export const anchorFailedKind = defineError('ENVS_START_FAILED', ExitCode.host, {
  message: 'Could not start the environment "{environment}": {reason}',
  nextStep: seeChecks('engine', 'user-namespaces'),
})

/** A fault of the environment's own files, on a host that can start others. */
export type GuestFault = {
  /** State of its /bin/sh; `broken` where the shell is there and does not run. */
  readonly fault: 'missing' | 'not executable' | 'empty' | 'broken'
  /** Whether `envs undo` can restore the file. */
  readonly canUndo: boolean
}

/** The environment's first process did not come up. */
export class AnchorFailedError extends EnvsError {
  /**
   * @param evidence - Last line that the engine or the guest's shell printed; untrusted.
   * @param explanation - The doctor's check that explains the failure, or the fault of the environment.
   */
  constructor(
    readonly environment: string,
    readonly evidence: string,
    explanation?: Check | GuestFault,
  ) {
    const line = evidence === '' ? 'its first process ended without a message.' : evidence
    const isOfGuest = explanation !== undefined && 'fault' in explanation
    const reason = (isOfGuest ? FAULTS[explanation.fault] : undefined) ?? line
    const suggestions =
      explanation === undefined
        ? anchorFailedKind.nextSteps
        : isOfGuest
          ? guestSteps(environment, explanation)
          : explained(explanation)
    super(...anchorFailedKind.parts({environment, reason}, {suggestions}))
  }
}

const FAULTS: Readonly<Record<GuestFault['fault'], string | undefined>> = {
  missing: 'it has no /bin/sh any more.',
  'not executable': 'its /bin/sh may not be executed any more.',
  empty: 'its /bin/sh is empty.',
  broken: undefined,
}

function guestSteps(environment: string, {fault, canUndo}: GuestFault): string[] {
  return [
    ...(fault === 'broken'
      ? ['This host can start others: a file of this environment is missing or damaged.']
      : []),
    ...(canUndo ? [`envs undo ${environment}`] : ['Create the environment again from a complete image.']),
    `Its files are still there: envs path ${environment}`,
  ]
}

/** The guest's own init ended before the boot was complete. */
export const bootFailedError = defineError('ENVS_BOOT_FAILED', ExitCode.host, {
  message: 'The environment "{name}" did not boot: its first process ended with status {status}.',
  nextStep: 'Start it without an init: envs set {name} init=none',
})

/** Limits that the kernel would not enforce for the whole environment, and that the user requires. */
export const limitsNotEnforcedError = defineError('ENVS_LIMITS_NOT_ENFORCED', ExitCode.host, {
  message: 'This host does not enforce the limits of "{name}" for all of its processes together: {limits}.',
  nextStep: [
    'Run `envs doctor`: see the check "Limits" and its remedy.',
    'Or take what this host can do: leave --require-limits out, or envs set {name} require-limits=no',
  ],
})

/** An environment with an init of its own, on a host without anything to use as control groups. */
export const noCgroupsError = defineError('ENVS_NO_CGROUPS', ExitCode.host, {
  message:
    'The systemd of "{name}" cannot run on this host: no control groups are delegated to this user, and /dev/fuse cannot replace them.',
  nextStep: 'Use the supervisor of envs instead: envs set {name} init=services',
})

/** The host's root starts environments without a user namespace that owns their mounts. */
export const noBootByRootError = defineError('ENVS_NO_BOOT_BY_ROOT', ExitCode.host, {
  message: 'The systemd of "{name}" cannot be started by root of this host.',
  nextStep:
    'Use the supervisor of envs instead: envs set {name} init=services. Or start it as an ordinary user.',
})

const END_LEFTOVER = 'To end what a killed start left behind: envs doctor --repair'

/** @public A process holds the environment's liveness lock, and the environment has no anchor to join. */
export const heldEnvironmentError = defineError('ENVS_UNREACHABLE', ExitCode.conflict, {
  message: 'Could not enter the environment "{name}": process {pid} ({command}) holds its lock.',
  nextStep: END_LEFTOVER,
})

/** @public As {@link heldEnvironmentError}, for a process that this host can't see. */
export const heldElsewhereError = defineError('ENVS_UNREACHABLE', ExitCode.conflict, {
  message:
    'Could not enter the environment "{name}": a process that is not visible from here holds its lock.',
  nextStep: [
    'The environment may run on another machine that shares this folder, or in another container: stop it there.',
    END_LEFTOVER,
  ],
})

/** Returns the error for a liveness lock that stays held. @param holders - Its holders; empty when this host can't see them. */
export function anchorUnreachableError(name: string, [holder]: readonly LockHolder[]): EnvsError {
  return holder === undefined ? heldElsewhereError({name}) : heldEnvironmentError({name, ...holder})
}

/** A session could not join the running environment, or could not prepare the command in it. */
export const sessionFailedError = defineError('ENVS_SESSION_FAILED', ExitCode.guestNotStarted, {
  message: 'Could not open a session in "{name}": {reason}.',
  nextStep: seeChecks('engine'),
})

/** The command does not exist in the guest, as in env(1). */
export const commandNotFoundError = defineError('ENVS_COMMAND_NOT_FOUND', 127, {
  message: 'The command "{command}" was not found in "{name}".',
  nextStep: 'Install the command in the environment.',
})

/** The command can't be executed in the guest, as in env(1). */
export const commandNotExecutableError = defineError('ENVS_COMMAND_NOT_EXECUTABLE', 126, {
  message: 'The command "{command}" cannot be executed in "{name}".',
  nextStep: 'See whether the file is a program for this processor and may be executed.',
})

/** The guest's systemd mounts, makes namespaces for services, and writes what it finds of the machine. */
export const bootUnconfinedError = defineError('ENVS_PROFILE_UNSUITABLE', ExitCode.conflict, {
  message:
    'systemd starts neither in the profile isolated nor with read-only files: it must mount and write.',
  nextStep: [
    'Use the supervisor of envs: envs set {name} init=services',
    'Or let it mount and write: envs set {name} profile=default read-only=no',
  ],
})

/** With one user namespace, the guest's root owns its mounts. */
export const unlockedProfileError = defineError('ENVS_PROFILE_UNAVAILABLE', ExitCode.host, {
  message:
    'This host cannot isolate {name}: it forbids a second user namespace, so root inside could undo the profile.',
  nextStep: seeChecks('user-namespaces', 'apparmor'),
})

/** proot changes no rights of a process. */
export const profileUnsuitableError = defineError('ENVS_PROFILE_UNSUITABLE', ExitCode.host, {
  message:
    'The environment {name} has {settings}, and the only engine that works on this host, proot, cannot confine.',
  nextStep: 'Start it on a host with user namespaces: see envs doctor.',
})
