import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {defineError, type EnvsError, ExitCode} from '../errors.js'
import {type DebArchitecture, namedArchitecture, qemuProgram, runsAsItIs} from '../host/arch.js'
import {seeChecks} from '../host/check.js'
import {makeFolders} from '../host/files.js'
import type {Host} from '../host/host.js'
import {isMountingRoot} from '../host/proc.js'
import {findQemu} from '../host/qemu.js'
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
 * How programs of another processor are run: `registered`: the machine's administrator has seen to it, for everybody;
 * `own`: by this entry in a table of the environment's own.
 */
export type Emulation = {readonly kind: 'registered'} | {readonly kind: 'own'; readonly entry: string}

/**
 * What an environment of an architecture needs to run here; undefined where the host runs it as it is.
 *
 * @param architecture - Of a record, so perhaps one that only a newer version knows.
 * @throws {@link emulationUnavailableError}
 */
export async function emulationFor(
  host: Host,
  architecture: string,
  {engine, identity}: {engine: EngineName; identity: Identity},
): Promise<Emulation | undefined> {
  const known = namedArchitecture(architecture)
  if (known === undefined) throw emulationUnavailableError(architecture, {kind: 'unknown'})
  if (runsAsItIs(host.architecture, known)) return undefined
  if (engine === 'proot') throw emulationUnavailableError(known, {kind: 'proot'})
  if (await isRegistered(known)) return {kind: 'registered'}
  // The table would be the whole machine's.
  if (isMountingRoot(host)) throw emulationUnavailableError(known, {kind: 'root'})
  const program = findQemu(host, known)
  if (program === undefined) throw emulationUnavailableError(known, {kind: 'no-qemu'})
  const entry = registration(known, program)
  if (!(await isPossible(host, {entry, identity}))) throw emulationUnavailableError(known, {kind: 'kernel'})
  return {kind: 'own', entry}
}

/** By an interpreter that was opened when it was registered; another one would have to be in the guest. */
async function isRegistered(architecture: DebArchitecture): Promise<boolean> {
  const path = join(TABLE_MOUNT_POINT, qemuProgram(architecture))
  const text = await readFile(path, 'utf8').catch(() => '')
  const {magic} = programHead(architecture)
  return (
    /^enabled$/m.test(text) && /^flags: .*F/m.test(text) && text.includes(`magic ${magic.toString('hex')}`)
  )
}

async function isPossible(
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
 * Returns a sandbox that can run programs of another processor.
 *
 * @param options.folder - One of the host's, for what is put together; it gets an empty folder.
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

function emulationUnavailableError(architecture: string, {kind}: EmulationObstacle): EnvsError {
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
