import {mkdir} from 'node:fs/promises'
import type {Lock} from '../host/flock.js'
import type {Host} from '../host/host.js'
import {capture} from '../host/process.js'
import {NO_ARCHIVES} from '../rootfs/apt/archives.js'
import {copyTree} from '../rootfs/copy.js'
import {CLONE_FIXES, IDENTITY_FIXES} from '../rootfs/fixes/list.js'
import {applyFixes, measureTrees} from '../rootfs/tree-process.js'
import {isRunning} from '../sandbox/anchor.js'
import {chooseIdentity, type Identity} from '../sandbox/ids/identity.js'
import {convertOwners} from './convert.js'
import {EnvironmentExistsError, EnvironmentRunningError} from './errors.js'
import {leftoverFolder, removeLeftover, sweepLeftovers} from './leftovers.js'
import {lockEnvironment} from './locks.js'
import {type EnvironmentName, parseEnvironmentName} from './name.js'
import {type EnvironmentRecord, readRecord, writeRecord} from './record.js'
import {
  type Environment,
  environmentFiles,
  filesIn,
  findEnvironment,
  makeStore,
  moveIntoPlace,
} from './store.js'
import {rootProcess, toolPath, treeProcess} from './toolbox.js'
import {newTreeFacts} from './tree-facts.js'
import {recordUsage} from './usage.js'

export type CloneRequest = {
  readonly from: string
  readonly to: string
  /** Undefined for the source's own. */
  readonly identity: 'auto' | Identity | undefined
  /** Whether the tree is on the disk before its environment appears. */
  readonly isSynced: boolean
}

const ANOTHER_NAME = 'Choose another name.'

/**
 * The making of a copy of an environment at rest, step by step so that a caller can show them: copy, publish.
 *
 * Until `publish` returns there is no new environment; `close` must be called, and takes an unfinished one away.
 */
export class Cloning {
  readonly #host: Host
  readonly #request: CloneRequest
  readonly #signal: AbortSignal
  readonly #locks: readonly Lock[]
  readonly #partial: string
  readonly source: Environment
  readonly name: EnvironmentName
  readonly identity: Identity
  #record: EnvironmentRecord | undefined
  #isPublished = false

  private constructor(
    host: Host,
    request: CloneRequest,
    held: {
      signal: AbortSignal
      locks: readonly Lock[]
      source: Environment
      name: EnvironmentName
      identity: Identity
    },
  ) {
    this.#host = host
    this.#request = request
    this.#signal = held.signal
    this.#locks = held.locks
    this.source = held.source
    this.name = held.name
    this.identity = held.identity
    this.#partial = leftoverFolder(host.paths, {kind: 'partial', identity: held.identity, name: held.name})
  }

  /**
   * @throws {EnvironmentNotFoundError} @throws {EnvironmentExistsError} @throws {EnvironmentRunningError}
   * @throws {EnvironmentBusyError} @throws {IdentityUnavailableError} @throws {ToolMissingError}
   */
  static async begin(host: Host, request: CloneRequest, {signal}: {signal: AbortSignal}): Promise<Cloning> {
    const name = parseEnvironmentName(request.to)
    const {name: from} = await findAtRest(host, request.from)
    if (from === name) throw new EnvironmentExistsError(name, ANOTHER_NAME)
    await makeStore(host.paths)
    await sweepLeftovers(host)
    const locks: Lock[] = []
    try {
      // One order for everybody, so that no two commands wait for each other. No session may begin in the source.
      for (const each of [from, name].sort()) locks.push(await lockEnvironment(host.paths, each, 'exclusive'))
      const source = await findAtRest(host, from)
      if ((await readRecord(environmentFiles(host.paths, name).record)) !== undefined)
        throw new EnvironmentExistsError(name, ANOTHER_NAME)
      toolPath(host, 'cp')
      const identity = await chooseIdentity(request.identity ?? source.record.identity, host)
      return new Cloning(host, request, {signal, locks, source, name, identity})
    } catch (error) {
      for (const lock of locks) lock.release()
      throw error
    }
  }

  /** Copies the tree where no command looks, with the owners that the new identity can give. */
  async copy(): Promise<void> {
    const {record, files} = this.source
    const partial = filesIn(this.#partial)
    await mkdir(this.#partial, {mode: 0o700})
    // A tree with owners of its own can only be read where they are mapped.
    const reader = record.identity === 'mapped' ? record.identity : this.identity
    const plan = {
      cp: toolPath(this.#host, 'cp'),
      from: files.root,
      to: partial.root,
      keepOwners: record.identity === 'mapped' && this.identity === 'mapped',
    }
    await copyTree(await rootProcess(this.#host, reader), plan, {signal: this.#signal})
    const converted = await convertOwners(this.#host, {
      source: this.source,
      identity: this.identity,
      root: partial.root,
      ledger: partial.ledger,
    })
    this.#record = {...record, ...converted, createdAt: this.#host.now()}
  }

  /** Gives the copy its name and makes it appear under it, whole. */
  async publish(): Promise<void> {
    const record = this.#record
    if (record === undefined) throw new Error('publish comes after copy')
    const {paths} = this.#host
    const partial = filesIn(this.#partial)
    const tree = await treeProcess(this.#host, this.identity)
    const facts = newTreeFacts(this.#host, {
      name: this.name,
      identity: this.identity,
      archives: NO_ARCHIVES,
    })
    const isConverted = this.identity !== this.source.record.identity
    const only = isConverted ? [...CLONE_FIXES, ...IDENTITY_FIXES] : CLONE_FIXES
    await applyFixes(tree, {root: partial.root, facts, only})
    await mkdir(partial.run, {mode: 0o700})
    // Else a power cut could leave a record that vouches for files the disk never saw.
    const synced = this.#request.isSynced ? capture(['sync', '-f', partial.root]) : undefined
    const [usages] = await Promise.all([measureTrees(tree, [partial.root]), synced])
    const sizeBytes = usages[0]?.sizeBytes ?? 0
    await recordUsage(this.#partial, {sizeBytes, measuredAt: this.#host.now()})
    await writeRecord(partial.record, record)
    this.#signal.throwIfAborted()
    await moveIntoPlace(paths, this.#partial, environmentFiles(paths, this.name))
    this.#isPublished = true
  }

  async close(): Promise<void> {
    try {
      if (this.#isPublished) return
      const leftover = {
        kind: 'partial',
        identity: this.identity,
        name: this.name,
        folder: this.#partial,
      } as const
      await removeLeftover(this.#host, leftover)
    } finally {
      for (const lock of this.#locks) lock.release()
    }
  }
}

/** @throws {EnvironmentNotFoundError} @throws {EnvironmentRunningError} */
async function findAtRest(host: Host, text: string): Promise<Environment> {
  const found = await findEnvironment(host.paths, text)
  if (await isRunning(found.files.run)) throw new EnvironmentRunningError(found.name, {canForce: false})
  return found
}
