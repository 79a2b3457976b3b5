import {join} from 'node:path'
import type {ArchiveContext, PackagePlan, UsedPocket} from '../../apt/context.js'
import {planPackages} from '../../apt/plan.js'
import {EnvsError, ExitCode} from '../../errors.js'
import {emulationFor} from '../../features/emulation.js'
import {type Sha256, sha256Of} from '../../host/digest.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {OfflineError} from '../../host/http/errors.js'
import {awaitLock, type Lock, openLockFile} from '../../host/locks.js'
import {type KeptImage, listKept} from '../../images/cache/cache.js'
import {keepMade} from '../../images/cache/keep.js'
import type {ArchiveOrigin, ImageFacts, ImageRecord} from '../../images/cache/record.js'
import {ARCHIVE} from '../../images/sources/packages.js'
import type {ExtractReport} from '../../rootfs/worker/api.js'
import type {EngineName} from '../../sandbox/engines/select.js'
import type {Identity} from '../../sandbox/identity.js'
import {holdLayers} from '../../store/locks.js'
import type {BootstrapEvent} from './configure.js'
import {aptSources, type BootstrapRequest} from './request.js'
import {BootstrapTree} from './tree.js'

type ArchiveImageOptions = {
  readonly identity: Identity
  readonly engine: EngineName
  readonly context: ArchiveContext
  readonly signal: AbortSignal
  readonly onEvent: (event: BootstrapEvent | {readonly stage: 'wait'}) => void
}

/** An image that was made from packages and is in the cache. */
export type MadeImage = {
  readonly kept: KeptImage
  /** Whether the image was in the cache before. */
  readonly wasKept: boolean
  /** Why the APT repository was unreachable, so that the newest cached image is used; undefined if it was reached. */
  readonly fallback: string | undefined
}

/** The tree that an image was just made from: its layer, before the fixes are applied. */
export type FreshTree = {
  readonly folder: string
  readonly identity: Identity
  /** The report that an extraction of the image would give. */
  readonly report: ExtractReport
}

type ImagePlan = {
  readonly plan: PackagePlan
  readonly ingredients: ImageRecord['sha256']
  readonly sources: {readonly path: string; readonly text: string}
}

/** Provides an image that is made from packages: the cached one, else a new one. */
export class ArchiveImage {
  #chosen: ImagePlan | undefined
  #tree: BootstrapTree | undefined
  #layersLock: Lock | undefined
  #imageLock: Lock | undefined

  constructor(
    private readonly host: Host,
    private readonly request: BootstrapRequest,
    private readonly options: ArchiveImageOptions,
  ) {}

  /**
   * Resolves the packages of the image.
   *
   * @returns The cached image with the same packages; if the mirror is unreachable, the newest of the same request.
   * @throws As `planPackages`.
   */
  async choose(): Promise<MadeImage | undefined> {
    const {images} = this.host.paths
    const {context, identity} = this.options
    let plan: PackagePlan
    try {
      plan = await planPackages(this.request.archive, context)
    } catch (error) {
      const kept = isUnreachable(error) ? await findNewestOfRequest(images, this.request) : undefined
      if (kept === undefined || !isUnreachable(error)) throw error
      return {kept, wasKept: true, fallback: error.message}
    }
    const {allowExpired, archive} = this.request
    const sources = aptSources(plan, {ignoresExpiry: allowExpired, components: archive.components})
    const ingredients = ingredientsOf({plan, identity, sources: sources.text})
    this.#chosen = {plan, sources, ingredients}
    return this.#present(ingredients)
  }

  /**
   * Makes the image that `choose` resolved. One of several commands makes it; the others wait and use it.
   *
   * @throws As `downloadPackages`, `unpackPackages` and `packImage`; {BootstrapFailedError}
   */
  async make(): Promise<MadeImage> {
    const chosen = this.#chosen
    if (chosen === undefined) throw new Error('choose comes first')
    const {ingredients} = chosen
    const lock = await this.#lockMaking(ingredients)
    try {
      const meanwhile = await this.#present(ingredients)
      if (meanwhile !== undefined) return meanwhile
      await this.#build(chosen)
    } finally {
      lock.release()
    }
    const made = await this.#present(ingredients)
    if (made === undefined) throw new Error(`the image ${ingredients} was made and is not in the cache`)
    return {...made, wasKept: false}
  }

  async #present(ingredients: ImagePlan['ingredients']): Promise<MadeImage | undefined> {
    const kept = await findMade(this.host.paths.images, ingredients)
    return kept === undefined ? undefined : {kept, wasKept: true, fallback: undefined}
  }

  /** Describes the image that `choose` resolved, before it is made. */
  describe(): ImageFacts {
    if (this.#chosen === undefined) throw new Error('choose comes first')
    return factsOf(this.request, this.#chosen)
  }

  /** The packages of the image that `choose` resolved: their number, and their size as downloads. */
  get packages(): {readonly count: number; readonly sizeBytes: number} {
    const packages = this.#chosen?.plan.packages ?? []
    return {count: packages.length, sizeBytes: packages.reduce((sum, {sizeBytes}) => sum + sizeBytes, 0)}
  }

  /** Hands over, once, the tree of an image that was just made; for a layer of the same identity. */
  takeTree(): FreshTree | undefined {
    const taken = this.#tree?.take()
    return taken === undefined ? undefined : {...taken, identity: this.options.identity}
  }

  /** Removes the files of an unfinished image and releases the locks. */
  async close(): Promise<void> {
    try {
      await this.#tree?.close()
    } finally {
      this.#imageLock?.release()
      this.#layersLock?.release()
    }
  }

  async #build({plan, ingredients, sources}: ImagePlan): Promise<void> {
    const {host, request} = this
    const {identity, engine, context, signal, onEvent} = this.options
    const base = await this.#baseOf(plan)
    this.#layersLock = await holdLayers(host.paths)
    const {architecture} = request.archive
    const emulation = await emulationFor(host, architecture, {engine, identity})
    const place = {identity, engine, emulation, lock: this.#layersLock}
    const tree = await BootstrapTree.begin(host, request.name, place)
    this.#tree = tree
    await tree.fill(plan, {base, sources, archive: context}, {signal, onEvent})
    const {sha256, sizeBytes, path} = await tree.pack(plan, {signal, onEvent})
    const known = factsOf(request, {plan, ingredients})
    const record: ImageRecord = {...known, sha256, sizeBytes, fetchedAt: context.now}
    signal.throwIfAborted()
    this.#imageLock = await keepMade(record, path, {images: host.paths.images, signal})
  }

  /** Returns the names of the packages of a minimal system. dpkg installs the others, because it has to run their scripts. */
  async #baseOf({variant, include, packages}: PackagePlan): Promise<ReadonlySet<string>> {
    const isMinimal = variant === 'minbase' && include.length === 0
    const {onProgress: _, ...context} = this.options.context
    const minimal = isMinimal
      ? packages
      : (await planPackages({...this.request.archive, variant: 'minbase', include: []}, context)).packages
    return new Set(minimal.map(({name}) => name))
  }

  async #lockMaking(ingredients: string): Promise<Lock> {
    const {locks} = this.host.paths
    await makeFolders(locks, {mode: 0o700})
    // The name of an environment cannot begin with a dot.
    const lock = openLockFile(join(locks, `.making.${ingredients}.lock`))
    const {signal, onEvent} = this.options
    return awaitLock(lock, {signal, onWait: () => onEvent({stage: 'wait'})})
  }
}

/** Returns whether a mirror or the network is the cause of the error. */
export function isUnreachable(error: unknown): error is EnvsError {
  return error instanceof EnvsError && (error.exitCode === ExitCode.network || error instanceof OfflineError)
}

async function findMade(images: string, ingredients: string): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  return kept.find(({archive}) => archive?.ingredients === ingredients)
}

/** Returns the newest cached image of the same request. */
async function findNewestOfRequest(
  images: string,
  {name, archive}: BootstrapRequest,
): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  const {architecture, variant, include, components} = archive
  const wanted = JSON.stringify([variant, include, components.length === 0 ? ['main'] : components])
  // `listKept` sorts by name, then the newest first.
  return kept.find(
    (image) =>
      image.name === name &&
      image.architecture === architecture &&
      image.archive !== null &&
      JSON.stringify([image.archive.variant, image.archive.include, image.archive.components]) === wanted,
  )
}

function factsOf(
  {name}: BootstrapRequest,
  {plan, ingredients}: Pick<ImagePlan, 'plan' | 'ingredients'>,
): ImageFacts {
  const [release] = plan.pockets
  if (release === undefined) throw new Error('a plan without a pocket')
  const url = `${release.mirror}/dists/${release.suite}/InRelease`
  return {
    name,
    source: ARCHIVE,
    suite: plan.release.codename,
    variant: 'archive',
    architecture: plan.architecture,
    version: imageVersion(plan),
    url,
    signer: release.signer,
    signedAt: release.date,
    evidence: {url, listing: 'InRelease', signature: null},
    archive: originOf(plan, ingredients),
  }
}

/** Part of the digest: raise it when the same packages no longer make the same image. */
const FORMAT = '1'

type ImageIngredients = {
  readonly plan: PackagePlan
  readonly identity: Identity
  /** The text of the image's APT sources. */
  readonly sources: string
}

/**
 * Returns the digest of all inputs that decide the content of an image: the same inputs make the same image. The date of
 * the signature is not an input.
 */
function ingredientsOf({plan, identity, sources}: ImageIngredients): Sha256 {
  const {architecture, variant, include, components, rootLinks, packages} = plan
  const isWhole = variant === 'minbase' && include.length === 0
  const facts = [
    ...[FORMAT, architecture, variant, include, components, rootLinks, sources],
    // The scripts of further packages change owners, which has no effect under the identity emulated.
    isWhole ? 'any identity' : identity,
    packages.map(({name, version, sha256}) => [name, version, sha256]),
  ]
  return sha256Of(JSON.stringify(facts))
}

/** Returns the origin that the image's record keeps. */
function originOf(plan: PackagePlan, ingredients: Sha256): ArchiveOrigin {
  const {variant, include, components, pockets, packages} = plan
  return {
    ingredients,
    ...{variant, include, components},
    pockets: pockets.map(pocketOf),
    packages: packages.map(({name, version, architecture}) => ({name, version, architecture})),
  }
}

function pocketOf({suite, mirror, inReleaseSha256, date, validUntil, signer}: UsedPocket) {
  return {suite, mirror, inReleaseSha256, date, validUntil: validUntil ?? null, signer}
}

/** Returns the version of the image: the date of the newest Release, as `20261106T202141Z`. */
function imageVersion({date}: Pick<PackagePlan, 'date'>): string {
  return date.toISOString().replace(/\.\d+|[-:]/g, '')
}
