import type {ArchiveContext} from '../../apt/context.js'
import type {Settings} from '../../config/settings.js'
import {UsageError} from '../../errors.js'
import type {Durability, SessionWish} from '../../features/feature.js'
import {hasBytes} from '../../host/argv/bytes.js'
import {isErrno} from '../../host/errno.js'
import {notUtf8Error} from '../../host/errors.js'
import type {Host} from '../../host/host.js'
import {isOffline} from '../../host/http/proxy.js'
import type {Lock} from '../../host/locks.js'
import type {DebArchitecture} from '../../host/machine/arch.js'
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
import type {EnvironmentSettings} from '../../store/record.js'
import {Creation} from '../create/creation.js'
import {planCreation} from '../create/request.js'
import {removeEnvironment} from '../remove.js'
import {stopFiles} from '../session/processes.js'
import {runInEnvironment} from '../session/run.js'
import {claimTryName, noteEnd} from './tries.js'

export type TryRequest = {
  readonly words: TryWords
  /** Defaults to the architecture of the host. */
  readonly architecture?: DebArchitecture | undefined
  /** The name of a permanent environment; undefined for a throwaway one. */
  readonly keepAs: string | undefined
  /** Whether writes are stored on disk even if they would fit in memory. */
  readonly onDisk: boolean
  readonly settings: EnvironmentSettings
}

export type TryWords = {
  /** Undefined for the default image. */
  readonly image: ImageReference | undefined
  readonly packages: readonly string[]
}

type TryOptions = {
  readonly settings: Settings
  readonly context: ImageContext
  readonly signal: AbortSignal
  readonly onNotice?: ArchiveContext['onNotice']
}

/** Time for processes to end, and to write their data: the environment may still be kept. */
const STOP_GRACE_MS = 2000
/** Exit status 128 + SIGINT. */
const INTERRUPTED = 130

/**
 * Runs a throwaway environment in steps: create (through `creation`, which the caller must close), install, run. The
 * caller must call `end`, which removes the environment or marks it as ended.
 */
export class TryRun {
  readonly #host: Host
  /** Held until this command ends and removes the environment; undefined for a permanent environment. */
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

  /** Claims a name and begins the creation. @throws As `planCreation` and `Creation.begin`. */
  static async begin(
    host: Host,
    {words, architecture, keepAs, onDisk, settings: ofEnvironment}: TryRequest,
    {settings, context, signal, onNotice}: TryOptions,
  ): Promise<TryRun> {
    if (words.packages.length > 0 && isOffline(context.environment))
      throw new UsageError('Packages cannot be installed with --offline: APT asks its servers.', [
        'Use an image or a clone of an environment that has the packages: envs clone',
      ])
    if (
      ofEnvironment.network === 'none' &&
      ofEnvironment.allowHosts === undefined &&
      words.packages.length > 0
    )
      throw new UsageError('Packages cannot be installed in an environment without a way to a mirror.', [
        'Give it a private network: --network private',
      ])
    const {name, lock} = await chooseName(host, keepAs)
    try {
      const wish = {image: words.image, name, architecture, sha256: undefined, settings: ofEnvironment}
      const planned = await planCreation(wish, {host, settings, context, onNotice})
      const isThrowaway = keepAs === undefined
      const setting = settings.value('durable')
      const durable = isThrowaway && setting !== 'always' ? 'never' : setting
      const isVolatile = isThrowaway && !onDisk && durable === 'never'
      const memory = isVolatile ? {setting: settings.value('tryMemory')} : undefined
      const request = {...planned, isSynced: durable !== 'never', isThrowaway, memory}
      const creation = await Creation.begin(host, request, {signal, nameFlag: '--keep'})
      return new TryRun(host, {creation, lock, durable, words})
    } catch (error) {
      lock?.release()
      throw error
    }
  }

  /**
   * Installs the packages and reports the progress on standard error.
   *
   * @param variables - Environment variables for APT and its child processes: `KEY=VALUE`, or `KEY` for the host's value.
   * @param isQuiet - Whether only failures are reported.
   * @throws {@link installInterruptedError} @throws {@link packagesNotInstalledError}
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

  /** Runs a command or a shell in the environment. @returns Its exit status. */
  async run(wish: Omit<SessionWish, 'durable' | 'engine'>): Promise<number> {
    this.#hasRun = true
    const {engine} = this.creation
    return runInEnvironment(this.#host, this.name, {...wish, durable: this.#durable, engine})
  }

  /** Returns the size of the environment's memory if it is nearly full, which may explain a failure; else undefined. */
  async fullMemoryBytes(): Promise<number | undefined> {
    try {
      return await fullUpper(this.#host, await findEnvironment(this.#host.paths, this.name))
    } catch (error) {
      if (!(error instanceof EnvironmentNotFoundError) && !isErrno(error, 'ENOENT')) throw error
      return undefined
    }
  }

  /** Stops the processes. An environment that was used can be kept for a while; an unused one is removed. */
  async end(): Promise<void> {
    if (this.#lock === undefined) return
    const files = environmentFiles(this.#host.paths, this.name)
    try {
      if (!this.#hasRun) {
        await removeEnvironment(this.#host, this.name, {force: true})
        return
      }
      await stopFiles(this.#host, files, {graceMs: STOP_GRACE_MS})
      await noteEnd(files.folder, this.#host.now())
      // Not before: the files in memory of a killed command end with it, and no process is left for them.
      this.creation.outlive()
    } catch (error) {
      // The environment was never published, or another command has removed it.
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

/** Matches words that cannot be a package: no architecture after a colon begins like this. */
const PUBLISHER_PREFIX = /^(ubuntu|debian|lxc):/i

/**
 * Separates the image from the packages: the first word is an image if it is a path, a URL, or the name of an image.
 *
 * @throws {UsageError} @throws {UnknownImageError}
 */
export async function readTryWords(
  words: readonly string[],
  {now, workingFolder, architecture}: Pick<Host, 'now' | 'workingFolder'> & {architecture: DebArchitecture},
): Promise<TryWords> {
  const [first, ...rest] = words
  const unnamable = words.find(hasBytes)
  if (unnamable !== undefined) throw notUtf8Error({text: unnamable})
  if (first === undefined) return {image: undefined, packages: []}
  try {
    const image = await parseImageReference(first, {workingFolder, architecture, now: now()})
    return {image, packages: rest}
  } catch (error) {
    if (!(error instanceof UnknownImageError) || PUBLISHER_PREFIX.test(first)) throw error
    return {image: undefined, packages: words}
  }
}
