import {join} from 'node:path'
import type {ArchiveContext, PackagePlan, UsedPocket} from '../../apt/context.js'
import {planPackages} from '../../apt/plan.js'
import {EnvsError, ExitCode} from '../../errors.js'
import {emulationFor} from '../../features/emulation.js'
import {type Sha256, sha256Of} from '../../host/digest.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
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

type Around = {
  readonly identity: Identity
  readonly engine: EngineName
  readonly context: ArchiveContext
  readonly signal: AbortSignal
  readonly onEvent: (event: BootstrapEvent | {readonly stage: 'wait'}) => void
}

/** An image made of packages that is kept here now. */
export type MadeImage = {
  readonly kept: KeptImage
  /** Whether it was here before. */
  readonly wasKept: boolean
  /** Why nobody could be asked, so that it is the newest one here, if perhaps not the newest there is. */
  readonly fallback: string | undefined
}

/** A tree that an image was just made of, as its layer is to be before the fixes. */
export type FreshTree = {
  readonly folder: string
  readonly identity: Identity
  /** What extracting the image would have told. */
  readonly report: ExtractReport
}

type Chosen = {
  readonly plan: PackagePlan
  readonly ingredients: ImageRecord['sha256']
  readonly sources: {readonly path: string; readonly text: string}
}

/** Where the images of packages come from: the one that is here already, else a new one. */
export class ArchiveImage {
  #chosen: Chosen | undefined
  #tree: BootstrapTree | undefined
  #layersLock: Lock | undefined
  #imageLock: Lock | undefined

  constructor(
    private readonly host: Host,
    private readonly request: BootstrapRequest,
    private readonly around: Around,
  ) {}

  /**
   * Finds out what the image is to hold.
   *
   * @returns The one with the same packages that is here; where nobody can be asked, the newest of the same wish.
   * @throws As `planPackages`.
   */
  async choose(): Promise<MadeImage | undefined> {
    const {images} = this.host.paths
    const {context, identity} = this.around
    let plan: PackagePlan
    try {
      plan = await planPackages(this.request.archive, context)
    } catch (error) {
      const kept = isUnreachable(error) ? await findLikely(images, this.request) : undefined
      if (kept === undefined || !isUnreachable(error)) throw error
      return {kept, wasKept: true, fallback: error.message}
    }
    const sources = aptSources(plan, {ignoresExpiry: this.request.allowExpired})
    const ingredients = ingredientsOf({plan, identity, sources: sources.text})
    this.#chosen = {plan, sources, ingredients}
    return this.#present(ingredients)
  }

  /**
   * Makes the image that was chosen. Of several commands that want the same, one makes it.
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
    if (made === undefined) throw new Error(`the image ${ingredients} was made and is not there`)
    return {...made, wasKept: false}
  }

  async #present(ingredients: Chosen['ingredients']): Promise<MadeImage | undefined> {
    const kept = await findMade(this.host.paths.images, ingredients)
    return kept === undefined ? undefined : {kept, wasKept: true, fallback: undefined}
  }

  /** What is known of the image that was chosen, before there are bytes of it. */
  describe(): ImageFacts {
    if (this.#chosen === undefined) throw new Error('choose comes first')
    return factsOf(this.request, this.#chosen)
  }

  /** The tree of an image that was made just now, once; for a layer of the same identity. */
  takeTree(): FreshTree | undefined {
    const taken = this.#tree?.take()
    return taken === undefined ? undefined : {...taken, identity: this.around.identity}
  }

  async close(): Promise<void> {
    try {
      await this.#tree?.close()
    } finally {
      this.#imageLock?.release()
      this.#layersLock?.release()
    }
  }

  async #build({plan, ingredients, sources}: Chosen): Promise<void> {
    const {host, request} = this
    const {identity, engine, context, signal, onEvent} = this.around
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

  /** Names of what a minimal system is made of: of others dpkg itself has to run the scripts. */
  async #baseOf({variant, include, packages}: PackagePlan): Promise<ReadonlySet<string>> {
    const isMinimal = variant === 'minbase' && include.length === 0
    const {onProgress: _, ...context} = this.around.context
    const minimal = isMinimal
      ? packages
      : (await planPackages({...this.request.archive, variant: 'minbase', include: []}, context)).packages
    return new Set(minimal.map(({name}) => name))
  }

  async #lockMaking(ingredients: string): Promise<Lock> {
    const {locks} = this.host.paths
    await makeFolders(locks, {mode: 0o700})
    // No environment has such a name.
    const lock = openLockFile(join(locks, `.making.${ingredients}.lock`))
    const {signal, onEvent} = this.around
    return awaitLock(lock, {signal, onWait: () => onEvent({stage: 'wait'})})
  }
}

/** Whether a mirror, or the network, is why. */
export function isUnreachable(error: unknown): error is EnvsError {
  return error instanceof EnvsError && error.exitCode === ExitCode.network
}

async function findMade(images: string, ingredients: string): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  return kept.find(({archive}) => archive?.ingredients === ingredients)
}

/** The newest that was made of the same wish. */
async function findLikely(images: string, {name, archive}: BootstrapRequest): Promise<KeptImage | undefined> {
  const {images: kept} = await listKept(images)
  const {architecture, variant, include, components} = archive
  const wanted = JSON.stringify([variant, include, components.length === 0 ? ['main'] : components])
  // They come by name, the newest first.
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
  {plan, ingredients}: Pick<Chosen, 'plan' | 'ingredients'>,
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

/** What another version made of the same packages is another image. */
const FORMAT = '1'

type Made = {
  readonly plan: PackagePlan
  readonly identity: Identity
  /** Text of its APT sources. */
  readonly sources: string
}

/**
 * The digest of all that decides what is in an image: the same ingredients make the same one. The day on which the archive
 * was signed is none of them.
 */
function ingredientsOf({plan, identity, sources}: Made): Sha256 {
  const {architecture, variant, include, components, rootLinks, packages} = plan
  const isWhole = variant === 'minbase' && include.length === 0
  const facts = [
    ...[FORMAT, architecture, variant, include, components, rootLinks, sources],
    // Owners that scripts of other packages give are lost where such changes have no effect.
    isWhole ? 'any identity' : identity,
    packages.map(({name, version, sha256}) => [name, version, sha256]),
  ]
  return sha256Of(JSON.stringify(facts))
}

/** What is written down of an image's origin. */
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

/** `20261106T202141Z`: the day and time up to which the archive was taken in. */
function imageVersion({date}: Pick<PackagePlan, 'date'>): string {
  return date.toISOString().replace(/\.\d+|[-:]/g, '')
}
