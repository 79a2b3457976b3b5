import {randomBytes} from 'node:crypto'
import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import type {ArchiveContext} from '../archive/context.js'
import {downloadPackages, type FetchedPackage} from '../archive/download-packages.js'
import type {ArchiveEvent, PackagePlan} from '../archive/plan.js'
import type {Lock} from '../host/flock.js'
import {makeFolders} from '../host/folders.js'
import type {Host} from '../host/host.js'
import {templateText} from '../host/paths.js'
import {isMountingRoot} from '../host/privilege.js'
import type {UnpackDebsReport} from '../rootfs/debs/unpack-debs.js'
import {ensureMountPoints} from '../rootfs/mount-points.js'
import {type PackedImage, packImage} from '../rootfs/pack-image.js'
import type {ExtractReport} from '../rootfs/tree-process.js'
import {unpackPackages} from '../rootfs/unpack-packages.js'
import {anchorEngine, type EngineName} from '../sandbox/engines/choice.js'
import {type Identity, namespacePrefix} from '../sandbox/ids/identity.js'
import {runLoneScript} from '../sandbox/lone-script.js'
import {guestMounts, MOUNT_POINTS, plainRoot} from '../sandbox/mounts.js'
import {buildFilter} from '../sandbox/seccomp/filter.js'
import {filterSets} from '../sandbox/seccomp/filter-sets.js'
import {filesIn} from '../storage/layer-files.js'
import {bootstrapFailure, findWrong} from './bootstrap-check.js'
import {BootstrapUnsupportedError} from './bootstrap-errors.js'
import {configureScript, readConfigureLine} from './configure-script.js'
import {type Emulation, planEmulation} from './emulation.js'
import {layerLedger, removeLayerFolder} from './layer-folders.js'
import {rootProcess, treeProcess} from './toolbox.js'

export type BootstrapEvent =
  | ArchiveEvent
  | {readonly stage: 'unpack'; readonly count: number; readonly totalCount: number; readonly bytes: number}
  | {readonly stage: 'configure'; readonly count: number; readonly totalCount: number}
  | {readonly stage: 'pack'; readonly bytes: number}

type Place = {
  readonly identity: Identity
  readonly engine: EngineName
  /** Of its programs; undefined where the host runs them as they are. */
  readonly emulation: Emulation | undefined
  /** Of the layers, held: nobody takes away what is made among them. */
  readonly lock: Lock
}

type Options = {readonly signal: AbortSignal; readonly onEvent: (event: BootstrapEvent) => void}

/**
 * A tree that becomes an image, step by step: unpack, configure, pack. It lies among the layers, where nobody looks and what
 * a killed command leaves is swept; `close` takes away what is there.
 */
export class BootstrapTree {
  readonly #scratch: string
  #unpacked: UnpackDebsReport | undefined
  #packed: PackedImage | undefined
  #hasFolder = true

  /** @param folder - A layer's, as long as nobody else has taken it over. */
  private constructor(
    private readonly host: Host,
    readonly name: string,
    readonly folder: string,
    private readonly place: Place,
  ) {
    this.#scratch = `${folder}-work`
  }

  /** @throws {BootstrapUnsupportedError} */
  static async begin(host: Host, name: string, place: Place): Promise<BootstrapTree> {
    if (place.engine === 'proot') throw new BootstrapUnsupportedError(name, place.engine)
    const {layers} = host.paths
    await makeFolders(layers, {mode: 0o700})
    const folder = join(layers, `.partial.${place.identity}.${randomBytes(4).toString('hex')}`)
    const tree = new BootstrapTree(host, name, folder, place)
    await mkdir(tree.root, {recursive: true, mode: 0o700})
    for (const path of [tree.#scratch, tree.#nothing]) await mkdir(path, {mode: 0o700})
    return tree
  }

  /** An empty folder. */
  get #nothing(): string {
    return join(this.#scratch, 'nothing')
  }

  get root(): string {
    return filesIn(this.folder).tree
  }

  /**
   * Downloads the packages of a plan, unpacks those of the base as they come, and has dpkg install the others.
   *
   * @param base - Names of packages that can be unpacked before any of their scripts has run.
   */
  async fill(
    plan: PackagePlan,
    {
      base,
      sources,
      archive,
    }: {
      base: ReadonlySet<string>
      sources: {path: string; text: string}
      archive: ArchiveContext
    },
    options: Options,
  ): Promise<void> {
    const downloads = await downloadPackages(plan, archive)
    try {
      const others: FetchedPackage[] = []
      await this.#unpack(baseOf(downloads, {base, others}), {plan, sources}, options)
      await this.#configure(plan, {folder: downloads.folder, others}, options)
    } finally {
      await downloads.close()
    }
  }

  async #unpack(
    debs: AsyncIterable<{name: string; path: string}>,
    {plan, sources}: {plan: PackagePlan; sources: {path: string; text: string}},
    {signal, onEvent}: Options,
  ): Promise<void> {
    const {identity} = this.place
    const totalCount = plan.packages.length
    this.#unpacked = await unpackPackages(
      await treeProcess(this.host, identity),
      debs,
      {
        root: this.root,
        owners: identity === 'mapped' ? 'keep' : 'caller',
        ledger: layerLedger(this.folder),
        links: plan.rootLinks,
        files: [
          {path: sources.path, content: sources.text, mode: 0o644},
          {path: 'usr/sbin/policy-rc.d', content: await templateText('rootfs/policy-rc.d'), mode: 0o755},
        ],
        modified: String(secondsOf(plan)),
      },
      {
        signal,
        onProgress: ({packages: count, bytes}) => onEvent({stage: 'unpack', count, totalCount, bytes}),
      },
    )
  }

  async #configure(
    plan: PackagePlan,
    {folder, others}: {folder: string; others: readonly FetchedPackage[]},
    {signal, onEvent}: Options,
  ): Promise<void> {
    const {host, root} = this
    const {identity, engine, emulation, lock} = this.place
    if (engine === 'proot') throw new BootstrapUnsupportedError(this.name, engine)
    await ensureMountPoints(root, MOUNT_POINTS)
    const installed = new Set<string>()
    let hasEnded = false
    const isRoot = isMountingRoot(host)
    const onLine = (line: string) => {
      const told = readConfigureLine(line)
      if (told?.kind === 'installed') installed.add(told.name)
      hasEnded ||= told?.kind === 'end' && told.isWell
      onEvent({stage: 'configure', count: installed.size, totalCount: plan.packages.length})
    }
    const script = await configureScript({epoch: secondsOf(plan), root, others})
    const log = join(this.#scratch, 'log')
    const emulated = await planEmulation(host, emulation, this.#scratch)
    await runLoneScript(
      {
        engine: anchorEngine(host, engine),
        filter: buildFilter(host.architecture, filterSets(identity, {elidesSyncs: true})),
        hostname: plan.release.codename,
        // In the resolver's place, for there is nothing to resolve: the packages that dpkg is to install.
        mounts: [
          ...guestMounts({
            root: plainRoot(root),
            resolverFolder: others.length === 0 ? this.#nothing : folder,
            packagesFolder: undefined,
            isMountingRoot: isRoot,
          }),
          ...emulated.mounts,
        ],
        isMountingRoot: isRoot,
        namespacePrefix: [...(await namespacePrefix(identity, host)), ...emulated.words],
        stage: this.#scratch,
        script,
        unshare: host.which('unshare'),
        lock,
        log,
      },
      {onLine, signal},
    )
    const wrong = hasEnded ? findWrong(root, plan) : undefined
    if (hasEnded && wrong === undefined) return
    const reason =
      wrong === undefined
        ? 'its packages could not be configured'
        : `${wrong} is not installed as it should be`
    throw await bootstrapFailure(this.name, reason, {log, cacheFolder: host.paths.cache})
  }

  /** Makes the image's archive. @returns Its path, to be taken away from there, and what it is. */
  async pack(plan: PackagePlan, {signal, onEvent}: Options): Promise<PackedImage & {path: string}> {
    const {identity} = this.place
    const path = join(this.#scratch, 'archive')
    const packed = await packImage(
      await rootProcess(this.host, identity),
      {
        root: this.root,
        owners: identity === 'mapped' ? 'keep' : 'caller',
        ledger: layerLedger(this.folder),
        latest: secondsOf(plan),
        archive: path,
      },
      {signal, onProgress: ({bytes}) => onEvent({stage: 'pack', bytes})},
    )
    this.#packed = packed
    return {...packed, path}
  }

  /** Gives the folder away, once, to be a layer. */
  take(): {folder: string; report: ExtractReport} | undefined {
    if (!this.#hasFolder) return undefined
    const [unpacked, packed] = [this.#unpacked, this.#packed]
    if (unpacked === undefined || packed === undefined) throw new Error('there is no image yet')
    this.#hasFolder = false
    return {
      folder: this.folder,
      report: {
        compression: 'none',
        entries: packed.entries,
        totalBytes: packed.totalBytes,
        skippedDevices: 0,
        squashedOwners: unpacked.squashedOwners,
        fileCapabilities: 0,
        losses: packed.losses,
      },
    }
  }

  async close(): Promise<void> {
    await rm(this.#scratch, {recursive: true, force: true})
    if (!this.#hasFolder) return
    this.#hasFolder = false
    await removeLayerFolder(this.host, {identity: this.place.identity, folder: this.folder})
  }
}

/** Hands on what can be unpacked at once, and puts the others aside. */
async function* baseOf(
  downloads: AsyncIterable<FetchedPackage>,
  {base, others}: {base: ReadonlySet<string>; others: FetchedPackage[]},
): AsyncGenerator<{name: string; path: string}> {
  for await (const fetched of downloads) {
    const {name} = fetched.package
    if (base.has(name)) yield {name, path: fetched.path}
    else others.push(fetched)
  }
}

function secondsOf({date}: Pick<PackagePlan, 'date'>): number {
  return Math.floor(date.getTime() / 1000)
}
