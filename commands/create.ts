import {EnvsCommand} from '../src/cli/command.js'
import {
  allowSha1Flag,
  architectureFlag,
  architectureIn,
  archiveFlags,
  archiveOptions,
  identityFlag,
  newNameFlag,
  storageFlag,
} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import {runCreation} from '../src/cli/views/creation.js'
import {
  describeArchitecture,
  describeEngine,
  describeIdentity,
  describeLosses,
  describeSquashedOwners,
  describeTreeNote,
  RUN_BY_ROOT,
} from '../src/cli/views/text.js'
import {readSettings} from '../src/config/settings.js'
import {Creation} from '../src/environments/create/creation.js'
import {imageContext, planCreation} from '../src/environments/create/request.js'
import {type EnvironmentDetails, showEnvironment} from '../src/environments/show.js'
import type {IsolationGap} from '../src/features/feature.js'
import {gapsOnHost} from '../src/features/isolation-gaps.js'
import type {Host} from '../src/host/host.js'
import {environmentFiles} from '../src/store/environments.js'
import {overBudget} from '../src/store/sizes.js'

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
    'allow-sha1-signatures': allowSha1Flag(),
    identity: identityFlag(),
    storage: storageFlag(),
    arch: architectureFlag(),
    ...archiveFlags(),
  }

  async run(): Promise<EnvironmentDetails | undefined> {
    const {args, flags} = await this.parse(Create)
    const host = this.openHost()
    const settings = await readSettings(host, {identity: flags.identity, storage: flags.storage})
    const diskBudget = settings.value('diskBudget')
    const signal = this.signal()
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const context = imageContext(host, settings, {signal, allowSha1, onNotice: this.reportNotice})
    const wish = {
      ...flags,
      image: args.image,
      architecture: architectureIn(flags),
      archive: archiveOptions(flags),
    }
    const request = await planCreation(wish, {host, settings, context, onNotice: this.reportNotice})
    const creation = await Creation.begin(host, request, {signal})
    try {
      await runCreation(creation, this.creationHooks())
    } finally {
      await creation.close()
    }
    this.warnOfBudget(await overBudget(host, diskBudget))
    this.#tell(host, creation, await gapsOnHost(host, creation.engine))
    return this.jsonEnabled() ? showEnvironment(host, creation.name, creation.engine) : undefined
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
