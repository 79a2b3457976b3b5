import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {defineError, type EnvsError, ExitCode} from '../errors.js'
import {seeChecks} from '../host/check.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {type DebArchitecture, namedArchitecture, qemuProgram, runsAsItIs} from '../host/machine/arch.js'
import {isMountingRoot} from '../host/machine/proc.js'
import {findQemu} from '../host/machine/qemu.js'
import {
  canHaveTable,
  programHead,
  registration,
  TABLE_MOUNT_POINT,
  tableFirst,
  tableMount,
} from '../sandbox/binfmt.js'
import type {EngineName} from '../sandbox/engines/select.js'
import {type Identity, namespacePrefix} from '../sandbox/identity.js'
import type {SandboxSpec} from '../sandbox/spec.js'
import {toolPath} from '../store/tools.js'

/**
 * Names how programs of a foreign architecture run: `registered`: by an interpreter that is registered for the whole machine;
 * `own`: by this entry in the environment's private table of interpreters.
 */
export type Emulation = {readonly kind: 'registered'} | {readonly kind: 'own'; readonly entry: string}

/**
 * Returns the emulation that an environment needs on this host; undefined where the host runs its programs natively.
 *
 * @param architecture - From a record, which a newer version of envs may have written: it may be unknown.
 * @throws {@link noEmulationError}
 */
export async function emulationFor(
  host: Host,
  architecture: string,
  {engine, identity}: {engine: EngineName; identity: Identity},
): Promise<Emulation | undefined> {
  const known = namedArchitecture(architecture)
  if (known === undefined) throw emulationUnavailableError(architecture, 'unknown')
  if (runsAsItIs(host.architecture, known)) return undefined
  if (engine === 'proot') throw emulationUnavailableError(known, 'proot')
  if (await isRegistered(known)) return {kind: 'registered'}
  // With root's mounts, the table would be valid for the whole machine.
  if (isMountingRoot(host)) throw emulationUnavailableError(known, 'root')
  const program = findQemu(host, known)
  if (program === undefined) throw emulationUnavailableError(known, 'no-qemu')
  const entry = registration(known, program)
  if (!(await canHavePrivateTable(host, {entry, identity}))) throw emulationUnavailableError(known, 'kernel')
  return {kind: 'own', entry}
}

/**
 * Returns whether QEMU is registered with flag F: the kernel opened the interpreter at registration. Without that flag the
 * interpreter would have to be in the guest.
 *
 * @see https://docs.kernel.org/admin-guide/binfmt-misc.html
 */
async function isRegistered(architecture: DebArchitecture): Promise<boolean> {
  const path = join(TABLE_MOUNT_POINT, qemuProgram(architecture))
  const text = await readFile(path, 'utf8').catch(() => '')
  const {magic} = programHead(architecture)
  return (
    /^enabled$/m.test(text) && /^flags: .*F/m.test(text) && text.includes(`magic ${magic.toString('hex')}`)
  )
}

/** Registers the entry in a temporary user namespace, to find out whether the kernel supports it (Linux 6.7). */
async function canHavePrivateTable(
  host: Host,
  {entry, identity}: {entry: string; identity: Identity},
): Promise<boolean> {
  const {cache} = host.paths
  await makeFolders(cache, {mode: 0o700})
  const at = await mkdtemp(join(cache, '.table.'))
  try {
    return await canHaveTable(await namespacePrefix(identity, host), {entry, ...tableTools(host, at)})
  } finally {
    await rm(at, {recursive: true, force: true})
  }
}

/**
 * Returns the sandbox with a setup step and a mount for the private table of interpreters.
 *
 * @param options.folder - Folder on the host, in which an empty mount point is made.
 */
export async function withEmulation(
  spec: SandboxSpec,
  {host, emulation, folder}: {host: Host; emulation: Emulation | undefined; folder: string},
): Promise<SandboxSpec> {
  if (emulation?.kind !== 'own') return spec
  const at = join(folder, 'interpreters')
  await makeFolders(at, {mode: 0o700})
  return {
    ...spec,
    setup: [...spec.setup, tableFirst(emulation.entry, tableTools(host, at))],
    mounts: [...spec.mounts, tableMount(at)],
  }
}

function tableTools(host: Host, at: string) {
  return {unshare: toolPath(host, 'unshare'), mount: toolPath(host, 'mount'), at}
}

/** The reason why programs of a foreign architecture can't run. */
type EmulationObstacle = 'unknown' | 'proot' | 'root' | 'no-qemu' | 'kernel'

const REGISTER_FOR_ALL =
  'Or ask an administrator to register QEMU for the whole machine, with the package qemu-user-binfmt or qemu-user-static.'

const REASONS: Readonly<Record<EmulationObstacle, {reason: string; suggestions: readonly string[]}>> = {
  unknown: {
    reason: 'this version of envs does not support it',
    suggestions: ['A newer version of envs may support it.'],
  },
  proot: {
    reason: "the engine proot runs only programs of the host's architecture",
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
      'a user namespace has no table of interpreters (binfmt_misc) on this kernel; it needs Linux 6.7 or newer',
    suggestions: [REGISTER_FOR_ALL],
  },
}

/** @public Programs of an environment's architecture can't run on this host. */
export const noEmulationError = defineError('ENVS_NO_EMULATION', ExitCode.host, {
  message: 'Could not run programs of the architecture {architecture}: {reason}.',
  nextStep: 'Download QEMU into your own folder: envs doctor --fetch qemu',
})

function emulationUnavailableError(architecture: string, obstacle: EmulationObstacle): EnvsError {
  const {reason, suggestions} = REASONS[obstacle]
  return noEmulationError({architecture, reason}, {suggestions})
}

/** The APT repository of a program for the host is not signed by Debian's own keys. */
export const toolSignerError = defineError('ENVS_UNKNOWN_SIGNER', ExitCode.integrity, {
  message:
    'Did not download {packageName}: programs for the host need a signature by a key of Debian. {reason}',
  nextStep:
    'Use a mirror that keeps the signatures of Debian, or the default one: envs config unset mirrors.debianArchive. Keys of the setting keyrings do not count here.',
})

/** A downloaded program does not start on this host. */
export const toolNotRunnableError = defineError('ENVS_TOOL_NOT_RUNNABLE', ExitCode.host, {
  message: '{tool} was downloaded and verified, but does not start on this host; envs removed it again.',
  nextStep: seeChecks('execution', 'disk'),
})

/** Another command downloads the same tool, and did not end while this one waited. */
export const toolsBusyError = defineError('ENVS_BUSY', ExitCode.conflict, {
  message: 'Another command is downloading {tool}.',
  nextStep: 'Wait for that command to end, then run this command again.',
})
