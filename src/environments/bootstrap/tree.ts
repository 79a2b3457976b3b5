import {randomBytes} from 'node:crypto'
import {mkdir, rm} from 'node:fs/promises'
import {join} from 'node:path'
import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'
import type {ArchiveContext, PackagePlan} from '../../apt/context.js'
import {downloadPackages, type FetchedPackage} from '../../apt/download.js'
import {makeFolders} from '../../host/files.js'
import type {Host} from '../../host/host.js'
import {templateText} from '../../host/paths.js'
import type {UnpackDebsReport} from '../../rootfs/debs/unpack.js'
import {type ExtractReport, type PackedImage, packImage, unpackPackages} from '../../rootfs/worker/api.js'
import {layerLedger, removeLayerFolder} from '../../store/gc.js'
import {filesIn} from '../../store/layers.js'
import {rootProcess, treeProcess} from '../../store/tools.js'
import {type BootstrapEvent, type BootstrapPlace, configureTree, secondsOf} from './configure.js'
import {bootstrapUnsupportedError} from './request.js'

type BootstrapTreeOptions = {readonly signal: AbortSignal; readonly onEvent: (event: BootstrapEvent) => void}

/**
 * Builds the tree of an image in steps: unpack, configure, pack. The tree is a partial folder among the layers, so that a
 * sweep removes the leftovers of a killed command. The caller must call `close`, which removes the tree.
 */
export class BootstrapTree {
  readonly #scratch: string
  #unpacked: UnpackDebsReport | undefined
  #packed: PackedImage | undefined
  #hasFolder = true

  /** @param folder - The folder of a layer, until `take` hands it over. */
  private constructor(
    private readonly host: Host,
    readonly name: string,
    readonly folder: string,
    private readonly place: BootstrapPlace,
  ) {
    this.#scratch = `${folder}-work`
  }

  /** Creates the empty tree. @throws {@link bootstrapUnsupportedError} */
  static async begin(host: Host, name: string, place: BootstrapPlace): Promise<BootstrapTree> {
    if (place.engine === 'proot') throw bootstrapUnsupportedError({name, engine: place.engine})
    const {layers} = host.paths
    await makeFolders(layers, {mode: 0o700})
    const folder = join(layers, `.partial.${place.identity}.${randomBytes(4).toString('hex')}`)
    const tree = new BootstrapTree(host, name, folder, place)
    await makeFolders(tree.root, {mode: 0o700})
    for (const path of [tree.#scratch, tree.#emptyFolder]) await mkdir(path, {mode: 0o700})
    return tree
  }

  /** Stands in for the folder of packages if dpkg has none to install. */
  get #emptyFolder(): string {
    return join(this.#scratch, 'empty')
  }

  get root(): string {
    return filesIn(this.folder).tree
  }

  /**
   * Downloads the packages of a plan, unpacks those of the base as they arrive, and installs the others with dpkg.
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
    options: BootstrapTreeOptions,
  ): Promise<void> {
    // The indices are the largest data that this process holds. Free them before the decoders need memory.
    collectGarbage()
    const downloads = await downloadPackages(plan, archive)
    try {
      const others: FetchedPackage[] = []
      await this.#unpack(baseOf(downloads, {base, others}), {plan, sources}, options)
      await configureTree(this.host, {
        ...{plan, others, name: this.name, root: this.root, place: this.place, scratch: this.#scratch},
        packagesFolder: others.length === 0 ? this.#emptyFolder : downloads.folder,
        ...options,
      })
    } finally {
      await downloads.close()
    }
  }

  async #unpack(
    debs: AsyncIterable<{name: string; path: string}>,
    {plan, sources}: {plan: PackagePlan; sources: {path: string; text: string}},
    {signal, onEvent}: BootstrapTreeOptions,
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
          {
            path: 'usr/sbin/policy-rc.d',
            content: await templateText('rootfs/services/policy-rc.d'),
            mode: 0o755,
          },
        ],
        modified: String(secondsOf(plan)),
      },
      {
        signal,
        onProgress: ({packages: count, bytes}) => onEvent({stage: 'unpack', count, totalCount, bytes}),
      },
    )
  }

  /** Packs the tree into the image's tarball. @returns Its path, from where the caller moves it, and its digest and size. */
  async pack(
    plan: PackagePlan,
    {signal, onEvent}: BootstrapTreeOptions,
  ): Promise<PackedImage & {path: string}> {
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

  /** Hands over the folder, once, to become a layer. */
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

  /** Removes the temporary files, and the tree unless `take` has handed it over. */
  async close(): Promise<void> {
    await rm(this.#scratch, {recursive: true, force: true})
    if (!this.#hasFolder) return
    this.#hasFolder = false
    await removeLayerFolder(this.host, {identity: this.place.identity, folder: this.folder})
  }
}

/** Yields the packages of the base, which can be unpacked at once, and collects the rest in `others`. */
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

/**
 * Runs the garbage collector, to release memory after a large piece of work. V8 itself waits until it needs
 * memory, and ignores the needs of other processes.
 */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
}
