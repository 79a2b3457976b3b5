import type {ArchiveContext} from '../../apt/context.js'
import type {Settings} from '../../config/settings.js'
import type {Durability, SessionWish} from '../../features/feature.js'
import type {DebArchitecture} from '../../host/arch.js'
import {isErrno} from '../../host/errno.js'
import type {Host} from '../../host/host.js'
import type {Lock} from '../../host/locks.js'
import {templateText} from '../../host/paths.js'
import {UnknownImageError} from '../../images/errors.js'
import type {ImageReference} from '../../images/name.js'
import {parseImageReference} from '../../images/reference.js'
import type {ImageContext} from '../../images/sources/source.js'
import {
  type EnvironmentName,
  environmentFiles,
  findEnvironment,
  parseEnvironmentName,
} from '../../store/environments.js'
import {
  EnvironmentNotFoundError,
  installInterruptedError,
  packagesNotInstalledError,
} from '../../store/errors.js'
import {fullUpper} from '../../store/mounted-tree.js'
import {Creation} from '../create/creation.js'
import {planCreation} from '../create/request.js'
import {removeEnvironment} from '../remove.js'
import {stopFiles} from '../session/processes.js'
import {runInEnvironment} from '../session/run.js'
import {claimTryName, noteEnd} from './tries.js'

export type TryRequest = {
  readonly words: TryWords
  /** The host's own where it is left out. */
  readonly architecture?: DebArchitecture | undefined
  /** The name under which it stays; undefined for one that goes. */
  readonly keepAs: string | undefined
  /** Whether what it writes goes to the disk, also where there is memory for it. */
  readonly onDisk: boolean
}

type Around = {
  readonly settings: Settings
  readonly context: ImageContext
  readonly signal: AbortSignal
  readonly onNotice?: ArchiveContext['onNotice']
}

/** How long what runs in one may take to end: it may still be kept, with its data. */
const STOP_GRACE_MS = 2000
/** 128 and SIGINT. */
const INTERRUPTED = 130

/**
 * A throwaway environment, step by step: make (through `creation`, which must be closed), install, run. `end` must be
 * called, and takes it away or leaves it for a while.
 */
export class Trying {
  readonly #host: Host
  /** Held for as long as somebody is there who takes it away; undefined where it stays. */
  readonly #lock: Lock | undefined
  readonly #durable: Durability
  readonly #words: TryWords
  readonly creation: Creation
  #hasRun = false

  private constructor(
    host: Host,
    made: {creation: Creation; lock: Lock | undefined; durable: Durability; words: TryWords},
  ) {
    this.#host = host
    this.#lock = made.lock
    this.#durable = made.durable
    this.#words = made.words
    this.creation = made.creation
  }

  /** @throws As `planCreation` and `Creation.begin`. */
  static async begin(
    host: Host,
    {words, architecture, keepAs, onDisk}: TryRequest,
    {settings, context, signal, onNotice}: Around,
  ): Promise<Trying> {
    const {name, lock} = await chooseName(host, keepAs)
    try {
      const wish = {image: words.image, name, architecture, sha256: undefined}
      const planned = await planCreation(wish, {host, settings, context, onNotice})
      const isThrowaway = keepAs === undefined
      const setting = settings.value('durable')
      const durable = isThrowaway && setting !== 'always' ? 'never' : setting
      const isVolatile = isThrowaway && !onDisk && durable === 'never'
      const memory = isVolatile ? {setting: settings.value('tryMemory')} : undefined
      const request = {...planned, isSynced: durable !== 'never', isThrowaway, memory}
      const creation = await Creation.begin(host, request, {signal})
      return new Trying(host, {creation, lock, durable, words})
    } catch (error) {
      lock?.release()
      throw error
    }
  }

  /**
   * Installs the packages, telling of it on standard error.
   *
   * @param variables - For APT and what it runs: `KEY=VALUE`, or `KEY` for the host's value.
   * @param isQuiet - Whether failures alone are told of.
   * @throws {installInterruptedError, packagesNotInstalledError}
   */
  async install({
    variables,
    isQuiet,
  }: Pick<SessionWish, 'variables'> & {readonly isQuiet: boolean}): Promise<void> {
    const {image, packages} = this.#words
    if (packages.length === 0) return
    const script = await templateText('guest/install-packages.sh')
    const status = await runInEnvironment(this.#host, this.name, {
      command: ['/bin/sh', '-c', script, 'envs', isQuiet ? 'failures' : 'all', ...packages],
      user: undefined,
      workingFolder: undefined,
      variables: ['DEBIAN_FRONTEND=noninteractive', ...variables],
      volumes: [],
      durable: this.#durable,
      engine: this.creation.engine,
    })
    if (status === INTERRUPTED) throw installInterruptedError({packages})
    const notAnImage = `There is no image "${packages[0]}". See the images that exist: envs image search`
    const {nextSteps} = packagesNotInstalledError
    if (status !== 0)
      throw packagesNotInstalledError(
        {packages},
        {suggestions: image === undefined ? [...nextSteps, notAnImage] : nextSteps},
      )
  }

  /** @returns The guest's exit status. */
  async run(wish: Omit<SessionWish, 'durable' | 'engine'>): Promise<number> {
    this.#hasRun = true
    const {engine} = this.creation
    return runInEnvironment(this.#host, this.name, {...wish, durable: this.#durable, engine})
  }

  /** How many bytes of memory it was given, where hardly any are left: what failed may have failed for that. */
  async fullMemoryBytes(): Promise<number | undefined> {
    try {
      return await fullUpper(this.#host, await findEnvironment(this.#host.paths, this.name))
    } catch (error) {
      if (!(error instanceof EnvironmentNotFoundError) && !isErrno(error, 'ENOENT')) throw error
      return undefined
    }
  }

  /** Ends what runs in it. One that was used can be kept for a while; another is taken away. */
  async end(): Promise<void> {
    if (this.#lock === undefined) return
    const files = environmentFiles(this.#host.paths, this.name)
    try {
      if (!this.#hasRun) return await removeEnvironment(this.#host, this.name, {force: true})
      await stopFiles(this.#host, files, {graceMs: STOP_GRACE_MS})
      await noteEnd(files.folder, this.#host.now())
    } catch (error) {
      // It never came to be, or somebody has removed it.
      if (!(error instanceof EnvironmentNotFoundError) && !isErrno(error, 'ENOENT')) throw error
    } finally {
      this.#lock.release()
    }
  }

  get name(): EnvironmentName {
    return this.creation.name
  }
}

async function chooseName(
  {paths}: Host,
  keepAs: string | undefined,
): Promise<{name: EnvironmentName; lock: Lock | undefined}> {
  if (keepAs === undefined) return claimTryName(paths)
  return {name: parseEnvironmentName(keepAs), lock: undefined}
}

export type TryWords = {
  /** Undefined for the default one. */
  readonly image: ImageReference | undefined
  readonly packages: readonly string[]
}

/** Words that can be no package: an architecture after a colon is never called so. */
const OF_A_PUBLISHER = /^(ubuntu|debian|lxc):/i

/**
 * Tells an image from packages: the first word is one if it is a path, a URL, or the name of a published image.
 *
 * @throws {UsageError} @throws {UnknownImageError}
 */
export async function readTryWords(
  words: readonly string[],
  {now, workingFolder, architecture}: Pick<Host, 'now' | 'workingFolder'> & {architecture: DebArchitecture},
): Promise<TryWords> {
  const [first, ...rest] = words
  if (first === undefined) return {image: undefined, packages: []}
  try {
    const image = await parseImageReference(first, {workingFolder, architecture, now: now()})
    return {image, packages: rest}
  } catch (error) {
    if (!(error instanceof UnknownImageError) || OF_A_PUBLISHER.test(first)) throw error
    return {image: undefined, packages: words}
  }
}
