import {EnvsCommand} from '../src/cli/command.js'
import {
  allowSha1Flag,
  architectureFlag,
  architectureIn,
  archiveFlags,
  archiveOptions,
  dryRunFlag,
  identityFlag,
  initFlag,
  initIn,
  networkFlags,
  networkIn,
  newNameFlag,
  offlineFlag,
  parseWait,
  storageFlag,
  timingsFlag,
  verifyFlag,
  waitFlag,
} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {renderFields} from '../src/cli/table.js'
import {runCreation} from '../src/cli/views/creation.js'
import {previewFields} from '../src/cli/views/preview.js'
import {
  describeArchitecture,
  describeEngine,
  describeIdentity,
  describeLosses,
  describeSquashedOwners,
  describeTreeNote,
  RUN_BY_ROOT,
} from '../src/cli/views/text.js'
import {type Creation, createEnvironment} from '../src/environments/create/creation.js'
import {prepareInit} from '../src/environments/create/init-packages.js'
import {previewCreation} from '../src/environments/create/preview.js'
import {type CreateRequest, imageContext, planCreation} from '../src/environments/create/request.js'
import type {CreationPreviewResult} from '../src/environments/results.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import type {IsolationGap} from '../src/features/feature.js'
import {gapsOnHost} from '../src/features/isolation-gaps.js'
import type {Host} from '../src/host/host.js'
import {isOffline} from '../src/host/http/proxy.js'
import {describeEnd, movedRelease, readCatalogue} from '../src/images/catalog/catalog.js'
import {environmentFiles} from '../src/store/environments.js'
import {EnvironmentExistsError} from '../src/store/errors.js'
import type {LockPatience} from '../src/store/locks.js'
import {overBudget} from '../src/store/sizes.js'

type CreateOptions = {
  readonly signal: AbortSignal
  readonly patience: LockPatience
  readonly diskBudget: string | undefined
}

export default class Create extends EnvsCommand {
  static override summary = 'Create an environment from an image.'
  static override description =
    `IMAGE is one of: the name of a published image (focal, 20.04, ubuntu:focal/cloud, lxc:debian/trixie; see envs \
image search), which is verified by its publisher's signature and cached; the path of a tarball of a root file \
system, with a slash in it; an http or https URL of one; or - for standard input. Tarballs may be compressed with \
gzip, xz, zstd or bzip2.`
  static override aliases = ['new', 'install']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ./rootfs.tar.gz --name play',
    '<%= config.bin %> <%= command.id %> https://example.org/rootfs.tar.xz -n play --sha256 HEX',
    '<%= config.bin %> <%= command.id %> noble --dry-run',
  ]
  static override args = {
    image: Args.string({
      description: "image to use [default: the setting defaultImage, else the host's release]",
      ignoreStdin: true,
    }),
  }
  static override flags = {
    name: newNameFlag(),
    sha256: Flags.string({description: 'expected SHA-256 digest of the tarball', helpValue: 'HEX'}),
    verify: verifyFlag(),
    'allow-sha1-signatures': allowSha1Flag(),
    offline: offlineFlag(),
    identity: identityFlag(),
    storage: storageFlag(),
    arch: architectureFlag(),
    init: initFlag(),
    ...networkFlags(),
    ...archiveFlags(),
    'dry-run': dryRunFlag(),
    'if-missing': Flags.boolean({description: 'succeed if an environment of the name exists already'}),
    wait: waitFlag(),
    timings: timingsFlag(),
  }

  async run(): Promise<EnvironmentDetails | CreationPreviewResult | undefined> {
    const {args, flags} = await this.parse(Create)
    const patience = this.patience(parseWait(flags.wait))
    const host = this.openHost()
    const settings = await this.settings({identity: flags.identity, storage: flags.storage})
    const diskBudget = settings.value('diskBudget')
    const signal = this.signal()
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const context = imageContext(host, settings, {
      ...{signal, allowSha1, verify: flags.verify, offline: flags.offline},
      onNotice: this.reportNotice,
    })
    const wish = {
      ...flags,
      image: args.image,
      architecture: architectureIn(flags),
      archive: archiveOptions(flags),
      init: initIn(flags),
      settings: networkIn(flags),
    }
    const request = await planCreation(wish, {host, settings, context, onNotice: this.reportNotice})
    const work = (): Promise<EnvironmentDetails | CreationPreviewResult | undefined> =>
      flags['dry-run'] === true
        ? this.#preview(request)
        : this.#create(request, {signal, patience, diskBudget})
    return flags['if-missing'] === true ? this.#unlessExists(request, work) : work()
  }

  /** Runs `work`; returns the details of the environment instead if it exists. */
  async #unlessExists<Result>(
    {name}: CreateRequest,
    work: () => Promise<Result>,
  ): Promise<Result | EnvironmentDetails> {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof EnvironmentExistsError)) throw error
      const details = await showEnvironment(this.openHost(), name)
      this.print(
        `The environment ${name} exists already, made from ${details.image.name ?? details.image.source}.`,
      )
      return details
    }
  }

  async #preview(request: CreateRequest): Promise<CreationPreviewResult> {
    const {onResolved, onDownload, runStages} = this.creationHooks()
    const found: CreationPreviewResult[] = []
    const run = async () => {
      const hooks = {signal: this.signal(), onResolved, onMaking: onDownload}
      found.push(await previewCreation(this.openHost(), request, hooks))
    }
    await runStages([{title: 'Find', run}])
    const [preview] = found
    if (preview === undefined) throw new Error('the stage ended without a result')
    this.print(renderFields(previewFields(preview)))
    return preview
  }

  async #create(
    request: CreateRequest,
    {signal, patience, diskBudget}: CreateOptions,
  ): Promise<EnvironmentDetails | undefined> {
    const host = this.openHost()
    const work = (creation: Creation) => runCreation(creation, this.creationHooks())
    const creation = await createEnvironment(host, request, {signal, patience, work})
    const isQuiet = this.quiet || this.jsonEnabled()
    const init = await prepareInit(host, creation.name, {
      wish: request.init,
      isQuiet,
      canFetch: !isOffline(request.context.environment),
    })
    this.warnOfBudget(await overBudget(host, diskBudget))
    await this.#tellOfEnd(request)
    this.#tell(host, creation, await gapsOnHost(host, creation.engine))
    if (init !== 'none') this.note(`Init ${init}: its services start with it.`)
    return this.jsonEnabled() ? showEnvironment(host, creation.name, creation.engine) : undefined
  }

  /** Warns of a release without further security updates. */
  async #tellOfEnd({reference, context}: CreateRequest): Promise<void> {
    if (reference.kind !== 'name') return
    const release = movedRelease(reference.query, await readCatalogue(), context.now)
    if (release !== undefined) this.warn(`${describeEnd(release)}, and gets no security updates.`)
  }

  #tell(
    host: Host,
    {name, notes, extraction, engine, record}: Creation,
    gaps: readonly IsolationGap[],
  ): void {
    const {image, storage, identity, architecture} = record
    if (image.trust === 'unverified') {
      this.warn(
        `the image is unverified: give --sha256 HEX to check it. The digest of the image is ${image.sha256}.`,
      )
    }
    const squashed = extraction?.squashedOwners
    if (squashed !== undefined && squashed.count > 0) this.warn(describeSquashedOwners(squashed))
    // With layers, no single folder holds the whole tree.
    const {root} = environmentFiles(host.paths, name)
    this.print(storage === 'directory' ? `Created ${name} in ${root}` : `Created ${name}`)
    if (storage === 'overlay') this.note(`Kept below ${host.paths.data}.`)
    if (image.signer !== null)
      this.note(`From ${image.name} ${image.version}, signed by ${image.signer.name}.`)
    this.note(`Identity ${describeIdentity(identity)}.`)
    if (architecture !== host.architecture)
      this.note(`Architecture ${describeArchitecture(architecture, host.architecture)}.`)
    this.warnOfGaps(gaps)
    if (engine !== 'bwrap') this.note(`Engine ${describeEngine(engine)} (see why: envs doctor).`)
    const losses = extraction === undefined ? undefined : describeLosses(extraction.losses, name)
    if (losses !== undefined) this.note(losses)
    for (const note of notes) this.note(describeTreeNote(note, name))
    if (host.uid === 0) this.note(RUN_BY_ROOT)
    this.note(`Enter it: envs enter ${name}`)
  }
}
