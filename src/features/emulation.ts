import {mkdtemp, readFile, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {emulationUnavailableError} from '../environments/emulation-errors.js'
import {toolPath} from '../environments/toolbox.js'
import {type DebArchitecture, namedArchitecture, qemuProgram, runsAsItIs} from '../host/architecture.js'
import {findQemu} from '../host/find-qemu.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {isMountingRoot} from '../host/privilege.js'
import {canHaveTable, TABLE_MOUNT_POINT, tableFirst, tableMount} from '../sandbox/emulation/own-table.js'
import {programHead, registration} from '../sandbox/emulation/registration.js'
import type {EngineName} from '../sandbox/engines/choice.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import type {SandboxSpec} from '../sandbox/spec.js'

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
