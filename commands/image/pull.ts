import {readSettings} from '../../src/config/settings.js'
import {archiveContext} from '../../src/environments/archive-context.js'
import {bootstrapFor} from '../../src/environments/bootstrap-for.js'
import {imageContext} from '../../src/environments/image-context.js'
import {ArchivePull} from '../../src/environments/pull-archive.js'
import {ImagePull as Pull, type PulledImage} from '../../src/images/pull-image.js'
import {parseImageReference} from '../../src/images/reference.js'
import {archiveFlags, archiveWish} from '../../src/ui/archive-flags.js'
import {allowSha1Flag, architectureFlag, architectureIn, dryRunFlag} from '../../src/ui/arguments.js'
import {EnvsCommand} from '../../src/ui/command.js'
import {Args} from '../../src/ui/definitions.js'
import {renderFields} from '../../src/ui/fields.js'
import {stagesOf} from '../../src/ui/job-stages.js'
import {CHOICE_STAGES, describeMakingWithPace, MAKING_STAGES} from '../../src/ui/making-wording.js'
import {formatBytes} from '../../src/ui/size.js'
import {unpackProgress} from '../../src/ui/unpack-progress.js'

export default class ImagePull extends EnvsCommand {
  static override summary = 'Download an image, verify it and cache it.'
  static override description =
    `Always asks the publisher for the newest version; an image that is cached already is not downloaded again. With \
--dry-run: only shows the newest version.`
  static override hiddenAliases = ['image:fetch']
  static override examples = [
    '<%= config.bin %> <%= command.id %> focal',
    '<%= config.bin %> <%= command.id %> ubuntu:noble/minimal --dry-run --json',
  ]
  static override args = {
    image: Args.string({description: 'name of the image', ignoreStdin: true, required: true}),
  }
  static override flags = {
    'dry-run': dryRunFlag(),
    'allow-sha1-signatures': allowSha1Flag(),
    arch: architectureFlag("processor that its programs are for; the host's when left out"),
    ...archiveFlags(),
  }

  async run(): Promise<PulledImage & {dryRun: boolean}> {
    const {args, flags} = await this.parse(ImagePull)
    const host = this.openHost()
    const signal = this.signal()
    const dryRun = flags['dry-run'] === true
    const allowSha1 = flags['allow-sha1-signatures'] === true
    const settings = await readSettings(host)
    const context = imageContext(host, settings, {signal, allowSha1, onNotice: this.tellNotice})
    const reference = parseImageReference(args.image, {workingFolder: host.workingFolder})
    const architecture = architectureIn(flags) ?? host.architecture
    const bootstrap = await bootstrapFor(reference, archiveWish(flags), {architecture, context})
    if (bootstrap !== undefined) {
      const archive = archiveContext(host, settings, {...context, onNotice: this.tellNotice})
      const pull = await ArchivePull.begin(host, bootstrap, {settings, context: archive, signal})
      return {...(await this.#make(pull, dryRun)), dryRun}
    }
    const pull = new Pull(reference, {...host, architecture}, context)
    const progress = unpackProgress(() => performance.now())
    await this.runStages([
      {title: 'Find', run: () => pull.find()},
      ...(dryRun
        ? []
        : [
            progress.stage('Fetch', () =>
              pull.fetch({
                signal,
                onProgress: (event) => {
                  this.noteDownload(event)
                  progress.transfer(event)
                },
              }),
            ),
          ]),
    ])
    const pulled = pull.describe()
    this.#tell(pulled, {dryRun, fetched: 'Fetched'})
    return {...pulled, dryRun}
  }

  async #make(pull: ArchivePull, dryRun: boolean): Promise<PulledImage> {
    const describeMaking = describeMakingWithPace(() => performance.now())
    let isNeeded = false
    try {
      await this.runStages(
        stagesOf(
          CHOICE_STAGES,
          async (tell) => {
            isNeeded = await pull.choose((event) => {
              this.noteDownload(event)
              tell(event)
            })
          },
          describeMaking,
        ),
      )
      if (isNeeded && !dryRun)
        await this.runStages(
          stagesOf(
            MAKING_STAGES,
            (tell) =>
              pull.make((event) => {
                this.noteDownload(event)
                tell(event)
              }),
            describeMaking,
          ),
        )
    } finally {
      await pull.close()
    }
    if (pull.fallback !== undefined) this.note(pull.fallback)
    const pulled = pull.describe()
    this.#tell(pulled, {dryRun, fetched: 'Made'})
    return pulled
  }

  #tell(pulled: PulledImage, {dryRun, fetched}: {dryRun: boolean; fetched: string}): void {
    const {name, version, sha256, wasKept} = pulled
    if (dryRun) this.#printPlan(pulled)
    else this.print(`${wasKept ? 'Had' : fetched} ${name} ${version}, sha256:${sha256}`)
  }

  #printPlan({name, version, url, sizeBytes, sha256, signer, signedAt, wasKept}: PulledImage): void {
    this.print(
      renderFields([
        ['Name', name],
        ['Version', version],
        ['URL', url],
        ['Size', sizeBytes === null ? undefined : formatBytes(sizeBytes)],
        ['Digest', sha256 === null ? undefined : `sha256:${sha256}`],
        ['Signer', `${signer.name}, ${signer.fingerprint}`],
        ['Signed', signedAt.toISOString()],
        ['Would be', wasKept ? 'taken from here: it is kept' : sha256 === null ? 'made' : 'fetched'],
      ]),
    )
  }
}
